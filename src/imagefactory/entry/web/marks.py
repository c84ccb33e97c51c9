"""Statuses as shape, colour and word: one vocabulary for lists, pages and the icon of the browser's tab."""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass(frozen=True)
class Mark:
    """A status: the icon's name, the tone's class, the word."""

    shape: str
    tone: str
    word: str


_MARKS = {
    "draft": Mark("skip", "mute", "Draft"),
    "queued": Mark("wait", "mute", "Queued"),
    "claimed": Mark("run", "run", "Starting"),
    "running": Mark("run", "run", "Running"),
    "succeeded": Mark("ok", "good", "Succeeded"),
    "failed": Mark("fail", "bad", "Failed"),
    "lost": Mark("fail", "bad", "Lost"),
    "cancelled": Mark("slash", "mute", "Cancelled"),
    "waiting": Mark("skip", "mute", "Waiting"),
    "skipped": Mark("skip", "mute", "Skipped"),
    "pass": Mark("ok", "good", "Passed"),
    "warn": Mark("warn", "warn", "Warning"),
    "fail": Mark("fail", "bad", "Failed"),
    "done": Mark("ok", "good", "Done"),
    "refused": Mark("lock", "warn", "Refused"),
}


def mark(status: str) -> Mark:
    """Return the mark of a status of a build, an attempt, a stage or a check."""
    return _MARKS[str(status)]
