"""The time, in one place, always with a zone."""

from __future__ import annotations

import datetime as dt

UTC = dt.UTC


def now() -> dt.datetime:
    """Return the current time in UTC."""
    return dt.datetime.now(UTC)
