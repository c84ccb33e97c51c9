"""Events whose reactions keep failing, for the operator; without Django, as the command line has none."""

from __future__ import annotations

import dataclasses
import datetime as dt

import psycopg

_STUCK = """
select type, id::text, attempts, occurred_at, not_before, last_error from outbox_outboxevent
where delivered_at is null and attempts > 0 order by seq limit %s
"""


@dataclasses.dataclass(frozen=True)
class Stuck:
    """An event that is tried again and again: how often, since when, when next, and what went wrong last."""

    type: str
    id: str
    attempts: int
    occurred_at: dt.datetime
    not_before: dt.datetime | None
    last_error: str

    def sentence(self) -> str:
        """Return what the operator is told."""
        again = f", next at {self.not_before:%H:%M:%S} UTC" if self.not_before else ""
        return (
            f"Event {self.type} ({self.id}) of {self.occurred_at:%Y-%m-%d %H:%M} UTC failed {self.attempts} times{again}: "
            f"{self.last_error}"
        )


def stuck_events(conninfo: str, limit: int = 20) -> list[Stuck]:
    """Return up to `limit` undelivered events that failed at least once, oldest first.

    Raises psycopg.Error when the database does not answer.
    """
    with psycopg.connect(conninfo, autocommit=True, connect_timeout=3) as database:
        return [Stuck(*row) for row in database.execute(_STUCK, [limit]).fetchall()]
