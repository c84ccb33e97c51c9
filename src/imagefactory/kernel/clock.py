"""The time, in one place, always with a zone."""

from __future__ import annotations

import datetime as dt

UTC = dt.UTC


def now() -> dt.datetime:
    """Return the current time in UTC."""
    return dt.datetime.now(UTC)


def with_zone(moment: dt.datetime | None) -> dt.datetime | None:
    """Return the moment; one without a zone is taken as UTC."""
    return moment.replace(tzinfo=UTC) if moment is not None and moment.tzinfo is None else moment
