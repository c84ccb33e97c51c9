"""What the templates are handed: frozen rows of text, numbers and booleans."""

from __future__ import annotations

import dataclasses
import datetime as dt

from imagefactory.domain.builds.selectors import BuildView

_MARKS = {
    "succeeded": ("ok", "good"), "failed": ("fail", "bad"), "lost": ("fail", "bad"), "running": ("run", "run"),
    "queued": ("wait", "mute"), "cancelled": ("slash", "mute"), "skipped": ("skip", "mute"),
}  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Mark:
    """A status: shape, colour and word."""

    shape: str
    tone: str
    word: str


def mark(status: str) -> Mark:
    shape, tone = _MARKS.get(status, ("skip", "mute"))
    return Mark(shape, tone, str(status).capitalize())


def duration(start: dt.datetime | None, end: dt.datetime | None) -> str:
    """Return the time between two moments, such as `1 m 17 s`; empty when either is missing."""
    if start is None or end is None:
        return ""
    seconds = max(0.0, (end - start).total_seconds())
    return f"{seconds:.1f} s" if seconds < 60 else f"{int(seconds // 60)} m {int(seconds % 60)} s"


@dataclasses.dataclass(frozen=True)
class BuildRow:
    """One line of a list of builds."""

    url: str
    name: str
    number: int
    project: str
    mark: Mark
    by: str
    took: str
    at: dt.datetime


def build_row(tenant: str, project: str, b: BuildView) -> BuildRow:
    return BuildRow(
        f"/t/{tenant}/p/{project}/builds/{b.number}", b.commit_message or b.name or f"Build {b.number}", b.number,
        project, mark(b.status), b.created_by_name, duration(b.started_at, b.finished_at), b.created_at,
    )  # fmt: skip


@dataclasses.dataclass(frozen=True)
class StageCell:
    name: str
    mark: Mark
    took: str
