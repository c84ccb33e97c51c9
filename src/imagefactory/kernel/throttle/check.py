"""Count an attempt and refuse when there were too many; one statement, so that concurrent attempts all count."""

from __future__ import annotations

import datetime as dt
import ipaddress

from django.db import connection

from imagefactory.kernel.clock import now
from imagefactory.kernel.errors import RateLimited
from imagefactory.kernel.ids import digest

# A fixed window: simple, and at worst lets twice the limit through around its edge.
_COUNT = """
insert into throttle_attempts as a (key, window_started_at, count) values (%(key)s, %(now)s, 1)
on conflict (key) do update set
  count = case when a.window_started_at < %(floor)s then 1 else a.count + 1 end,
  window_started_at = case when a.window_started_at < %(floor)s then %(now)s else a.window_started_at end
returning count, window_started_at
"""


def count_attempt(what: str, key: str, *, limit: int, window_seconds: int) -> None:
    """Count one attempt of `what` by `key`.

    Raises RateLimited when this is more than `limit` within `window_seconds`. Runs in autocommit or in the caller's
    transaction; callers that roll back on failure must count before they open theirs.
    """
    moment = now()
    hashed = digest(f"{what}\0{key}")
    floor = moment - dt.timedelta(seconds=window_seconds)
    with connection.cursor() as cursor:
        cursor.execute(_COUNT, {"key": hashed, "now": moment, "floor": floor})
        count, started = cursor.fetchone()
    if count > limit:
        wait = max(1, int((started + dt.timedelta(seconds=window_seconds) - moment).total_seconds()))
        raise RateLimited(f"Too many attempts to {what}. Try again in {wait} seconds.", wait)


def origin(address: str) -> str:
    """Return whom attempts from this address count for: an IPv6 customer has a whole /64 network to come from."""
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return address or "local"
    if isinstance(ip, ipaddress.IPv4Address):
        return str(ip)
    if ip.ipv4_mapped is not None:
        return str(ip.ipv4_mapped)
    return str(ipaddress.IPv6Network((int(ip), 64), strict=False))


def forget(what: str, key: str) -> None:
    """Clear the counter after a success."""
    with connection.cursor() as cursor:
        cursor.execute("delete from throttle_attempts where key = %s", [digest(f"{what}\0{key}")])
