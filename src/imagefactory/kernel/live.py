"""Notices for open pages: the one place that knows their channel, their shape and how they are numbered.

A notice says that something changed, never what: topics, ids and no content. It is only a hint (`pg.hint`).
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from typing import Any

from imagefactory.kernel import pg

CHANNEL = "live"
_NUMBERS = "builds_live_seq"  # made by the migrations of builds, whose notices were the first


@dataclasses.dataclass(frozen=True)
class Notice:
    """What changed: an event's type, the topics that it concerns (such as `build:<id>`), and ids."""

    type: str
    topics: Sequence[str]
    data: Mapping[str, Any]


def newest() -> int:
    """Return the id of the newest notice.

    A page that is read after this call and begins its stream behind this id misses nothing: the change that a notice tells of
    is committed before the notice gets its number.
    """
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(f"select case when is_called then last_value else 0 end from {_NUMBERS}")  # noqa: S608 - a name of ours
        return int(cursor.fetchone()[0])


def tell(notices: Sequence[Notice]) -> None:
    """Number these notices and send each, once the caller's transaction is committed."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("select nextval(%s) from generate_series(1, %s)", [_NUMBERS, len(notices)])
        numbers = [row[0] for row in cursor.fetchall()]
    messages = [
        json.dumps({"id": number, "topics": list(n.topics), "type": n.type, "data": dict(n.data)})
        for number, n in zip(numbers, notices, strict=True)
    ]
    pg.hint(CHANNEL, *messages)
