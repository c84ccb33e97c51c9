"""What stands out in a log: error and warning lines, and where folds begin. The patterns are here once.

The page's script gets the same patterns (`patterns`) for the lines that it receives live, so they keep to what Python and
JavaScript read alike, and to the first MARK_CHARACTERS of a line. No pattern may need more than linear time.
"""

from __future__ import annotations

import dataclasses
import functools
import json
import re
import time
from typing import Final

from imagefactory.adapters.logs.base import SEQUENCE
from imagefactory.entry.http.logs import log_store

MARK_CHARACTERS: Final = 300
MAX_LISTED: Final = 5_000  # line numbers of one kind that a page can jump to; the count is exact all the same
_TITLE: Final = 200
_READ: Final = 10_000

# Up to five words with a colon may stand before the level: "main.c:3:5: error: ...".
_PREFIX: Final = r"^(?:[^\s:]+:\s?){0,5}"
_EDGES: Final = (r"(?:^|[\s\[(|])(?:", r")(?:$|[\s:\])|!])")
PATTERNS: Final[dict[str, str]] = {
    "error": rf"{_EDGES[0]}ERROR|FATAL|CRITICAL|PANIC|ERR!{_EDGES[1]}"
    rf"|{_PREFIX}(?:[Ee]rror|[Ff]atal|[Ff]atal error|panic)(?:\[\w+\])?(?::|!| -)|^E: |^make(?:\[\d+\])?: \*\*\* |^Traceback \(most recent call last\)",
    "warning": rf"{_EDGES[0]}WARNING|WARN|DEPRECATION{_EDGES[1]}"
    rf"|{_PREFIX}(?:[Ww]arning|[Dd]eprecated)(?:\[\S+\])?(?::|!| -)|^W: |^npm warn ",
    "step": r"^(?:\[\d+/\d+\] )?STEP \d+(?:/\d+)?: ",
    "open": r"^(?:##\[group\]|::group::)",
    "close": r"^(?:##\[endgroup\]|::endgroup::)",
    "cached": r"^--> Using cache ",
}
_COMPILED: Final = {name: re.compile(pattern) for name, pattern in PATTERNS.items()}
# Most lines hold none of these and need no pattern; plain `in` is six times as fast as one expression for all.
_WORDS: Final = ("err", "***", "fatal", "panic", "critical", "traceback", "warn", "deprecat", "step ", "group", "e: ", "w: ",
                 "using cache")  # fmt: skip


def patterns() -> str:
    """Return the patterns as JSON, for the script."""
    return json.dumps({**PATTERNS, "length": MARK_CHARACTERS})


def mark_of(text: str) -> str:
    """Return what a line is: a name of PATTERNS, or an empty text."""
    head = text[: MARK_CHARACTERS * 2]
    low = head.lower()
    if not any(word in low for word in _WORDS):
        return ""
    head = SEQUENCE.sub("", head)[:MARK_CHARACTERS]
    return next(
        (name for name in ("step", "open", "close", "cached", "error", "warning") if _COMPILED[name].search(head)), ""
    )


@dataclasses.dataclass(frozen=True)
class Outline:
    """Marks of the lines up to `last`: numbers of errors and warnings, and folds as (number, at_ms, kind, title).

    `complete` is False when time or the listable number ran out; the counts are then of what was looked at.
    """

    last: int
    errors: list[int]
    warnings: list[int]
    error_count: int
    warning_count: int
    folds: list[tuple[int, int, str, str]]
    complete: bool


def outline(execution_id: str, seconds: float = 3.0) -> Outline:
    """Look through a log, for at most `seconds`. A complete log is looked through once in this process."""
    state = log_store().state(execution_id)
    if not state.finished:
        return _scan(execution_id, seconds)
    found = _cached(execution_id, state.lines, seconds)
    if not found.complete and found.last < state.lines:
        _cached.cache_clear()  # time ran out: the next who asks may have more luck
    return found


@functools.lru_cache(maxsize=64)
def _cached(execution_id: str, lines: int, seconds: float) -> Outline:
    return _scan(execution_id, seconds)


def _scan(execution_id: str, seconds: float) -> Outline:
    store = log_store()
    until = time.monotonic() + seconds
    numbers: dict[str, list[int]] = {"error": [], "warning": []}
    counts = {"error": 0, "warning": 0}
    folds: list[tuple[int, int, str, str]] = []
    last, complete = 0, True
    while lines := store.read(execution_id, last, _READ):
        if time.monotonic() > until:
            complete = False
            break
        last = lines[-1].number
        for line in lines:
            if not (kind := mark_of(line.text)):
                continue
            if kind in counts:
                counts[kind] += 1
                if len(numbers[kind]) < MAX_LISTED:
                    numbers[kind].append(line.number)
            elif len(folds) < MAX_LISTED:
                title = SEQUENCE.sub("", line.text)[:_TITLE]
                folds.append((line.number, line.at_ms, kind, title))
            else:
                complete = False
    return Outline(last, numbers["error"], numbers["warning"], counts["error"], counts["warning"], folds, complete)
