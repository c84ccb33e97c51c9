"""Where the stream of page events stands."""

from __future__ import annotations

from django.db import connection


def live_position() -> int:
    """Return the number of the newest page event; a page made now misses nothing that is told after it."""
    with connection.cursor() as cursor:
        cursor.execute("select last_value from builds_live_seq")
        return int(cursor.fetchone()[0])
