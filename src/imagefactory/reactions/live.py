"""Tell open pages what changed: a hint with topics and ids, never content."""

from __future__ import annotations

import json
from collections.abc import Sequence

from django.db import connection

from imagefactory.kernel import pg
from imagefactory.reactions.envelope import Envelope

CHANNEL = "live"
_SHOWN = ("build_id", "project_id", "number", "slug", "repository", "digest")


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
        }
        topics = [f"{kind}:{value}" for kind, value in named.items() if value]
        data = {k: e.payload[k] for k in _SHOWN if k in e.payload}
        pg.hint(CHANNEL, json.dumps({"id": number, "topics": topics, "type": e.type, "data": data}))
