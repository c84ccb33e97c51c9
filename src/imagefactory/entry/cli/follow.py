"""Following a build live: queue, stages and numbered log lines, through lost connections."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final, NamedTuple

import httpx

from imagefactory.entry.cli.client import CONFLICT, REFUSED, ApiFailure, Client
from imagefactory.entry.cli.tables import say

_pause = time.sleep  # of this module alone, so that a test can replace it
FINISHED: Final = frozenset({"succeeded", "failed", "cancelled"})
EXIT: Final = {"succeeded": 0, "failed": 1, "cancelled": 130}

_POLL: Final = 1.0  # seconds between two looks
_QUIET: Final = 60.0  # seconds without a byte after which a stream counts as lost; it sends a comment far more often
_RECONNECTS: Final = 5  # streams in a row that ended without a new line, before polling takes over
_LARGEST_EVENT: Final = 32 * 1024 * 1024  # characters

Line = Sequence[Any]  # number, time in ms since 1970, stage, stream, text


class Event(NamedTuple):
    """One server-sent event (WHATWG HTML, "Server-sent events")."""

    kind: str
    data: str


def parse_events(lines: Iterator[str]) -> Iterator[Event]:
    """Read server-sent events from the lines of a stream; comments and unknown fields are skipped.

    Raises ApiFailure for an event without end.
    """
    kind, length = "", 0
    data: list[str] = []
    for line in lines:
        if not line:
            if data:
                yield Event(kind or "message", "\n".join(data))
            kind, data, length = "", [], 0
            continue
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "event":
            kind = value
        elif name == "data":
            data.append(value)
            length += len(value)
            if length > _LARGEST_EVENT:
                raise ApiFailure("The stream sent an event that is too large. Read the log with `build logs` instead.")


class LogPrinter:
    """Prints lines with their numbers and a heading wherever the stage changes."""

    def __init__(self, write: Callable[[str], None] = say) -> None:
        self._write, self._stage = write, ""

    def __call__(self, line: Line) -> None:
        number, _at, stage, stream, text = line
        if stage != self._stage:
            self._stage = stage
            self._write(f"== {stage} ==")
        mark = {"err": "!", "note": "*"}.get(stream, " ")
        self._write(f"{number:>6}{mark} {text}")


def follow_log(client: Client, build_id: str, attempt: int | None, show: Callable[[Line], None], after: int = 0) -> int:
    """Show the log of an attempt until it ends and return the number of its last line.

    The live stream is preferred; where it does not answer, the log is polled.

    Raises ApiFailure.
    """
    last, idle = after, 0
    while idle < _RECONNECTS:
        before = last
        try:
            for event in _events(client, build_id, attempt, last):
                if event is None:
                    return _poll_log(client, build_id, attempt, show, last)
                if event.kind == "lines":
                    last = _show_new(json.loads(event.data), last, show)
                elif event.kind == "end":
                    return last
                elif event.kind == "denied":
                    _denied(client, event.data)
        except ValueError:
            raise ApiFailure("The stream sent something that is not JSON. Check that nothing rewrites it.") from None
        except ApiFailure as failure:
            if failure.code == REFUSED:
                raise
        idle = 0 if last > before else idle + 1
        _pause(min(0.2 * 2**idle, 3.0))
    return _poll_log(client, build_id, attempt, show, last)


def _events(client: Client, build_id: str, attempt: int | None, last: int) -> Iterator[Event | None]:
    """Yield the events of one connection; None alone when the stream is not to be had."""
    headers = {"Accept": "text/event-stream"} | ({"Last-Event-ID": str(last)} if last else {})
    params = {"attempt": attempt} if attempt else None
    with client.stream(f"/builds/{build_id}/logs/stream", headers=headers, params=params, quiet=_QUIET) as response:
        kind = response.headers.get("Content-Type", "")
        if response.status_code != httpx.codes.OK or not kind.startswith("text/event-stream"):
            yield None
            return
        yield from parse_events(response.iter_lines())


def _denied(client: Client, data: str) -> None:
    """Go on after a token that ran out; anything else is an end."""
    said = json.loads(data)
    if said.get("code") == "token_expired":
        client.get("/auth/me")  # renews the session, or says that it has ended
        return
    raise ApiFailure(str(said.get("message") or "You may not see this any more."), REFUSED)


def _show_new(lines: Sequence[Line], last: int, show: Callable[[Line], None]) -> int:
    """Show the lines that were not shown yet: after a lost connection some may come twice."""
    for line in lines:
        if line[0] > last:
            show(line)
            last = int(line[0])
    return last


def _poll_log(client: Client, build_id: str, attempt: int | None, show: Callable[[Line], None], last: int) -> int:
    over = False
    while True:
        answer = client.get(f"/builds/{build_id}/logs", attempt=attempt, after=last)
        last = _show_new(answer["lines"], last, show)
        # A worker that was lost never closes its log, so a finished attempt ends it too, after one more look.
        if answer["finished"] or (over and not answer["lines"]):
            return last
        if not answer["lines"]:
            build = client.get(f"/builds/{build_id}")
            over = build["status"] in FINISHED or 0 < (attempt or 0) < build["attempts"] or build["status"] == "queued"
            _pause(_POLL)


def follow(client: Client, build_id: str, show: Callable[[Line], None], note: Callable[[str], None]) -> dict[str, Any]:
    """Follow a build through all its attempts until it has finished, and return it.

    Raises ApiFailure.
    """
    followed, noted = 0, ""
    while True:
        build: dict[str, Any] = client.get(f"/builds/{build_id}")
        if build["attempts"] > followed and build["status"] not in {"queued", "draft"}:
            followed = build["attempts"]
            if followed > 1:
                note(f"Attempt {followed}.")
            follow_log(client, build_id, followed, show)
            continue
        if build["status"] in FINISHED:
            return build
        if build["status"] == "draft":
            raise ApiFailure("This build is a draft and was not started. Start it on its page first.", CONFLICT)
        text = waiting(build)
        if text != noted and (noted := text):
            note(text)
        _pause(_POLL)


def waiting(build: dict[str, Any]) -> str:
    """Return the sentence that says what a queued build waits for; empty for any other."""
    place = build.get("waits")
    if build["status"] != "queued" or not place:
        return ""
    return f"Queued: {place['reason']}"


def verdict(build: dict[str, Any]) -> str:
    """Return the sentences that end a followed build."""
    failure, image = build.get("failure") or {}, build.get("image") or {}
    parts = [f"Build {build['number']}: {build['status'].capitalize()}."]
    if failure.get("message"):
        parts.append(str(failure["message"]))
    if image.get("digest"):
        parts.append(f"Image: {image.get('reference') or image.get('name') or ''} {image['digest']}")
    if build.get("url"):
        parts.append(str(build["url"]))
    return "\n".join(parts)
