"""Tell open pages what changed: a hint with topics and ids, never content."""

from __future__ import annotations

import json
from collections.abc import Sequence

from django.db import connection

from imagefactory.kernel import pg
from imagefactory.reactions.envelope import Envelope

CHANNEL = "live"
_SHOWN = ("build_id", "project_id", "number", "slug", "repository", "digest")


def _person(e: Envelope) -> object:
    """Return whose own pages an event changes: the person it names, or who did it to their own account."""
    return e.payload.get("user_id") or (e.actor_id if e.type.startswith("member.") else None)


def newest_notice() -> int:
    """Return the id of the newest notice.

    A page that is read after this call and begins its stream behind this id misses nothing: the change that a notice tells of
    is committed before the notice gets its number.
    """
    with connection.cursor() as cursor:
        cursor.execute("select case when is_called then last_value else 0 end from builds_live_seq")
        return int(cursor.fetchone()[0])


def tell_pages(envelopes: Sequence[Envelope]) -> None:
    """Send each event to the pages that watch its build, project or tenant."""
    with connection.cursor() as cursor:
        cursor.execute("select nextval('builds_live_seq') from generate_series(1, %s)", [len(envelopes)])
        numbers = [row[0] for row in cursor.fetchall()]
    for number, e in zip(numbers, envelopes, strict=True):
        named = {
            "tenant": e.tenant_id,
            "project": e.payload.get("project_id"),
            "build": e.payload.get("build_id"),
            "user": _person(e),
        }
        topics = [f"{kind}:{value}" for kind, value in named.items() if value]
        data = {k: e.payload[k] for k in _SHOWN if k in e.payload}
        pg.hint(CHANNEL, json.dumps({"id": number, "topics": topics, "type": e.type, "data": data}))
