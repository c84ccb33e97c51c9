"""Let months go that are older than the setting, with a signed statement of where each chain goes on."""

from __future__ import annotations

import datetime as dt
import re
from pathlib import Path
from typing import Final

from django.db import connection, transaction

from imagefactory.domain.audit import events, witness
from imagefactory.domain.audit.canonical import INSTALLATION, kept_hash
from imagefactory.domain.audit.services.checkpoints import Claim, sign
from imagefactory.kernel import pg
from imagefactory.kernel.actor import system
from imagefactory.kernel.clock import now
from imagefactory.kernel.outbox.emit import emit

_MONTH: Final = re.compile(r"audit_entry_y(\d{4})m(\d{2})")
_PARTITIONS: Final = (
    "select c.relname from pg_inherits i join pg_class c on c.oid = i.inhrelid "
    "where i.inhparent = 'audit_entry'::regclass order by 1"
)
# The last row of each chain in a month; `where` on the parent prunes to the one partition.
_LAST: Final = """
select distinct on (coalesce(tenant_id, %(none)s)) coalesce(tenant_id, %(none)s), seq, hash
from audit_entry where occurred_at >= %(start)s and occurred_at < %(end)s
order by coalesce(tenant_id, %(none)s), seq desc
"""
_REMOVED: Final = (
    "select distinct on (chain) chain, seq, hash from audit_checkpoint where kind = 'removal' order by chain, seq desc"
)
_KEPT: Final = (
    "select seq, hash from audit_entry where coalesce(tenant_id, '00000000-0000-0000-0000-000000000000'::uuid) = %s "
    "and seq <= %s and occurred_at >= %s"
)


def make_partitions_ahead(months: int = 2) -> None:
    """Make this month's partition and the next ones; the writer makes what is missing all the same."""
    day = now().replace(day=1)
    with transaction.atomic(), connection.cursor() as cursor:
        for _ in range(months + 1):
            cursor.execute("select audit_ensure_partition(%s)", [day])
            day = (day + dt.timedelta(days=32)).replace(day=1)


def months() -> list[tuple[str, dt.datetime, dt.datetime]]:
    """Return name, start and end of each partition, oldest first."""
    with connection.cursor() as cursor:
        cursor.execute(_PARTITIONS)
        names = [row[0] for row in cursor.fetchall()]
    found = []
    for name in names:
        if match := _MONTH.fullmatch(name):
            start = dt.datetime(int(match[1]), int(match[2]), 1, tzinfo=dt.UTC)
            found.append((name, start, (start + dt.timedelta(days=32)).replace(day=1)))
    return found


def drop_old_months(data_dir: Path, days: int) -> int:
    """Drop every month that ended more than `days` ago and return how many; 0 days keeps everything.

    Each month is a transaction of its own: checkpoints, the event that tells it, and the drop.
    """
    gone = 0
    for name, start, end in months():
        if days <= 0 or end > now() - dt.timedelta(days=days):
            break
        with transaction.atomic():
            newest = _drop(data_dir, name, start, end)
        if newest:
            witness.remember(data_dir, *newest)
        gone += 1
    return gone


def _drop(data_dir: Path, name: str, start: dt.datetime, end: dt.datetime) -> tuple[int, bytes] | None:
    with connection.cursor() as cursor:
        cursor.execute("set local lock_timeout = '10s'")  # a long export goes first; the job comes again tomorrow
        for lock in (pg.Lock.AUDIT_WRITE, pg.Lock.AUDIT_CHECKPOINT):
            cursor.execute("select pg_advisory_xact_lock(%s)", [lock])
        cursor.execute(_REMOVED)
        before = {chain: (seq, bytes(hashed)) for chain, seq, hashed in cursor.fetchall()}
        cursor.execute(_LAST, {"none": INSTALLATION, "start": start, "end": end})
        claims = []
        for chain, seq, hashed in cursor.fetchall():
            last = max((seq, bytes(hashed)), before.get(chain, (0, b"")))
            # A row that was recorded late stands in an earlier place than its month; it stays, and is signed for.
            cursor.execute(_KEPT, [chain, last[0], end])
            kept = kept_hash([(s, bytes(h)) for s, h in cursor.fetchall()])
            claims.append(Claim(chain, *last, "removal", end, kept))
        cursor.execute("select count(*) from audit_entry where occurred_at >= %s and occurred_at < %s", [start, end])
        rows = cursor.fetchone()[0]
        newest = sign(data_dir, claims)
        cursor.execute("select audit_drop_partition(%s)", [name])
    emit(system("retention"), events.AuditTrimmed(None, f"{start:%Y-%m}", rows, len(claims)))
    return newest
