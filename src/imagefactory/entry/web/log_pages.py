"""The log pane as the templates get it: frozen rows, and the same state as JSON for the script."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
from collections.abc import Sequence
from typing import Any, Final
from urllib.parse import urlencode

from django.http import HttpRequest

from imagefactory.adapters.logs.base import SEQUENCE, Line, LogState, PatternInvalid
from imagefactory.domain.builds import policies
from imagefactory.domain.builds.selectors import BuildDetail, ExecutionView, StageView, queue_place
from imagefactory.entry.http.logs import log_store
from imagefactory.entry.web import log_marks, marks, words
from imagefactory.kernel import env
from imagefactory.kernel.actor import Actor
from imagefactory.kernel.clock import now

PLAIN_LINES: Final = 1_500  # lines in the page itself; the script and the raw log have all
PLAIN_CHARACTERS: Final = 2_000  # of one line
FOUND_LINES: Final = 100
SHOWN_LINES = 800_000  # the newest ones, in the scripted view: browsers bound the height of what they draw
_LABELS: Final = {"sbom": "SBOM", "": "Start"}
_LIVE: Final = frozenset({"claimed", "running"})


@dataclasses.dataclass(frozen=True)
class PlainRow:
    """One line without terminal sequences. `tone` is `e`, `w` or empty; `at` is the full time."""

    number: int
    text: str
    tone: str
    at: str


@dataclasses.dataclass(frozen=True)
class PaneStage:
    """A fold. `left_out` lines at its beginning are not in the page."""

    name: str
    label: str
    mark: marks.Mark
    took: str
    first: int
    last: int
    count: int
    open: bool
    message: str
    rows: tuple[PlainRow, ...] = ()
    left_out: int = 0


@dataclasses.dataclass(frozen=True)
class Found:
    """A search without scripts: the first matching rows and a sentence."""

    rows: tuple[PlainRow, ...]
    sentence: str


@dataclasses.dataclass(frozen=True)
class LogPane:
    """All that `blocks/log.html` shows."""

    base: str
    attempt: int
    full: bool
    live: bool
    live_url: str
    lines: int
    stages: tuple[PaneStage, ...]
    empty: str
    notes: tuple[str, ...]
    can_download: bool
    query: str
    found: Found | None
    state: str
    patterns: str
    most: int

    @property
    def suffix(self) -> str:
        """The query that names the attempt."""
        return f"?attempt={self.attempt}" if self.attempt else ""


def _ms(at: dt.datetime | None) -> int:
    return int(at.timestamp() * 1000) if at else 0


def _iso(at_ms: int) -> str:
    return dt.datetime.fromtimestamp(at_ms / 1000, dt.UTC).isoformat(timespec="milliseconds")


def _label(name: str) -> str:
    return _LABELS.get(name, name.replace("_", " ").capitalize())


def stage_status(stage: StageView, execution: ExecutionView) -> str:
    """Return the status to show of a stage: one that a cancellation ended did not fail."""
    return "cancelled" if execution.status == "cancelled" and stage.status == "failed" else str(stage.status)


def _stage_state(stage: StageView, execution: ExecutionView) -> dict[str, Any]:
    status = stage_status(stage, execution)
    mark = marks.mark(status)
    return {
        "name": stage.name, "label": _label(stage.name), "status": status, "word": mark.word, "shape": mark.shape,
        "tone": mark.tone, "first": stage.first_line or 0, "started": _ms(stage.started_at),
        "finished": _ms(stage.finished_at), "exit": stage.exit_code, "message": stage.message,
        "took": words.between(stage.started_at, stage.finished_at or (now() if stage.status == "running" else None)),
    }  # fmt: skip


def state(actor: Actor, build: BuildDetail, execution: ExecutionView | None) -> dict[str, Any]:
    """Return how far attempt and log are, as the script reads it."""
    if execution is None:
        return {"status": build.status, "word": marks.mark(build.status).word, "total": 0, "finished": False,
                "stages": [], "notes": [], "empty": _empty(actor, build, None)}  # fmt: skip
    log = log_store().state(str(execution.id))
    over = execution.status not in _LIVE
    return {
        "status": execution.status, "word": marks.mark(execution.status).word, "total": log.lines,
        "finished": over, "stages": [_stage_state(s, execution) for s in execution.stages],
        "notes": list(_notes(log, execution)), "empty": "" if log.lines else _empty(actor, build, execution),
    }  # fmt: skip


def _notes(log: LogState, execution: ExecutionView) -> tuple[str, ...]:
    masked = log.masked or execution.masked_values
    notes = []
    if log.truncated:
        notes.append(f"Cut at {env.get().max_log_mib} MiB: the lines after that were dropped.")
    if masked:
        notes.append(f"{masked:,} secret value{'s' if masked != 1 else ''} masked as ***.")
    if log.lines:
        notes.append("Kept as long as the project.")
    return tuple(notes)


def plain_row(line: Line) -> PlainRow:
    text = SEQUENCE.sub("", line.text).replace("\x1b", "").rpartition("\r")[2]
    if len(text) > PLAIN_CHARACTERS:
        text = f"{text[:PLAIN_CHARACTERS]} … {len(text) - PLAIN_CHARACTERS:,} more characters in the raw log"
    tone = {"error": "e", "warning": "w"}.get(log_marks.mark_of(line.text), "")
    return PlainRow(line.number, text, tone, _iso(line.at_ms))


def ranges(stages: Sequence[StageView], total: int) -> list[tuple[StageView | None, int, int]]:
    """Return (stage, first, last) in order; lines before the first stage belong to none."""
    begun = sorted((s for s in stages if s.first_line), key=lambda s: s.first_line or 0)
    found: list[tuple[StageView | None, int, int]] = []
    first = (begun[0].first_line or 1) if begun else total + 1
    if first > 1 and total:
        found.append((None, 1, min(first - 1, total)))
    for stage, after in zip(begun, [*begun[1:], None], strict=False):
        last = (after.first_line or 1) - 1 if after else total
        found.append((stage, stage.first_line or 1, min(last, total)))
    return found


def _stages(execution: ExecutionView, total: int) -> tuple[PaneStage, ...]:
    made = []
    for stage, first, last in ranges(execution.stages, total):
        # An attempt that ended before its first stage ended in the lines that belong to none.
        early = "failed" if execution.status == "failed" and not execution.stages else "succeeded"
        status = stage_status(stage, execution) if stage else early
        took = ""
        if stage:
            took = words.between(stage.started_at, stage.finished_at or (now() if status == "running" else None))
        made.append(
            PaneStage(
                stage.name if stage else "", _label(stage.name if stage else ""), marks.mark(status), took, first, last,
                max(0, last - first + 1), status in {"failed", "running", "cancelled"}, stage.message if stage else "",
            )
        )  # fmt: skip
    if made and not any(s.open for s in made) and execution.status in {"failed", "lost", "cancelled"}:
        made[-1] = dataclasses.replace(made[-1], open=True)
    left = PLAIN_LINES
    for at in sorted(range(len(made)), key=lambda i: (made[i].mark.tone != "bad", not made[i].open, -i)):
        take = min(made[at].count, left)
        left -= take
        rows = log_store().read(str(execution.id), made[at].last - take, take) if take else []
        made[at] = dataclasses.replace(
            made[at], rows=tuple(plain_row(line) for line in rows), left_out=made[at].count - len(rows)
        )
    return tuple(made)


def _find(execution: ExecutionView, request: HttpRequest, query: str) -> Found:
    regex, case = request.GET.get("regex") == "1", request.GET.get("case") == "1"
    try:
        found = log_store().search(str(execution.id), query, regex=regex, case=case, limit=FOUND_LINES)
    except PatternInvalid as error:
        return Found((), str(error))
    sentence = "1 line matches" if found.total == 1 else f"{found.total:,} lines match"
    if found.total > len(found.lines):
        sentence += f"; the first {len(found.lines)} are shown"
    return Found(tuple(plain_row(line) for line in found.lines), f"{sentence}.")


def _empty(actor: Actor, build: BuildDetail, execution: ExecutionView | None) -> str:
    if execution is not None:
        over = execution.status not in _LIVE
        return "This attempt wrote no log." if over else "The attempt has begun; its first line is on its way."
    if build.status == "queued":
        place = queue_place(actor, build)
        return f"Queued: {place.reason}" if place else "Queued; the log begins with the attempt."
    if build.status == "draft":
        return "A draft has no log; it begins when the build is started."
    return "This build ended before an attempt began, so there is no log."


def pane(
    actor: Actor,
    build: BuildDetail,
    execution: ExecutionView | None,
    base: str,
    request: HttpRequest,
    *,
    full: bool = False,
) -> LogPane:
    """Return the log of an attempt for the page at `base` (the build's address); without one, why there is none."""
    now_state = state(actor, build, execution)
    stages = _stages(execution, now_state["total"]) if execution else ()
    query = request.GET.get("q", "")[:512]
    live = (execution is not None and execution.status in _LIVE) or (execution is None and build.status == "queued")
    attempt = execution.attempt if execution else 0
    follow = "?" + urlencode({"attempt": attempt}) if attempt else ""
    return LogPane(
        base=base, attempt=attempt, full=full, live=live, live_url=f"/live/builds/{build.id}/logs{follow}",
        lines=now_state["total"], stages=stages, empty=now_state["empty"],
        notes=tuple(now_state["notes"]), can_download=policies.may_download_log(actor, build.project_id) is True,
        query=query, found=_find(execution, request, query) if execution and query else None,
        state=json.dumps(now_state), patterns=log_marks.patterns(), most=SHOWN_LINES,
    )  # fmt: skip
