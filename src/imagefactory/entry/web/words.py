"""Numbers and times as people read them."""

from __future__ import annotations

import datetime as dt

_UNITS = ((86_400, "d"), (3_600, "h"), (60, "min"))


def duration(seconds: float) -> str:
    """Return a length of time such as `0.4 s`, `48 s`, `1 m 17 s` or `2 h 5 m`."""
    seconds = max(0.0, seconds)
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} m {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} m"


def between(start: dt.datetime | None, end: dt.datetime | None) -> str:
    """Return the time between two moments; empty when either is missing."""
    return duration((end - start).total_seconds()) if start and end else ""


def ago(moment: dt.datetime, at: dt.datetime) -> str:
    """Return how long before `at` the moment was: `just now`, `4 min ago`, `3 d ago`, or a date after 30 days."""
    seconds = (at - moment).total_seconds()
    if seconds > 30 * 86_400:
        return f"{moment:%-d %b %Y}"
    for size, unit in _UNITS:
        if seconds >= size:
            return f"{int(seconds // size)} {unit} ago"
    return "just now"


def size(count: float) -> str:
    """Return bytes such as `412 MiB`; powers of 1024."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if count < 1024 or unit == "GiB":
            return f"{count:.0f} {unit}" if count >= 100 or unit == "B" else f"{count:.1f} {unit}"
        count /= 1024
    return ""


def short_digest(digest: str) -> str:
    """Return a digest shortened in the middle: `sha256:1f0e9a…9c2d`."""
    return f"{digest[:13]}…{digest[-6:]}" if len(digest) > 24 else digest
