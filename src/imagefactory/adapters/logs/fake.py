"""A log store in memory: for tests and demonstrations, with the same promises as the one that keeps files."""

from __future__ import annotations

import dataclasses
import re
import threading
import time
from collections.abc import Sequence

from imagefactory.adapters.logs import base
from imagefactory.adapters.logs.base import Found, Line, LogState


@dataclasses.dataclass
class _Log:
    lines: list[Line] = dataclasses.field(default_factory=list)
    size: int = 0
    finished: bool = False
    truncated: bool = False
    masked: int = 0


class MemoryLogStore:
    """Keeps logs in this process. `LogStore` says what each method promises."""

    def __init__(self, max_bytes: int = 268_435_456) -> None:
        self._max_bytes = max_bytes
        self._logs: dict[str, _Log] = {}
        self._lock = threading.Lock()

    def append(self, execution_id: str, first_number: int, lines: Sequence[Line]) -> int:
        base.check_execution(execution_id)
        base.check_lines(first_number, lines)
        with self._lock:
            log = self._logs.setdefault(execution_id, _Log())
            after = first_number + len(lines)
            expected = len(log.lines) + 1
            if log.truncated:
                return max(after, expected)
            if first_number > expected:
                raise base.LogGap(execution_id, first_number, expected)
            fresh = lines[expected - first_number :]
            if any("\n" in line.text for line in fresh):
                raise base.LogLineInvalid("A line has a line break inside; split it first.")
            if fresh and log.finished:
                raise base.LogFinished(f"The log of execution {execution_id} is complete; it takes no more lines.")
            for line in fresh:
                self._add(log, line._replace(text=base.shortened(line.text)))
            return max(after, expected)

    def _add(self, log: _Log, line: Line) -> None:
        if log.truncated:
            return
        size = len("\t".join(map(str, line)).encode("utf-8", "replace")) + 1
        if log.size + size > self._max_bytes:
            log.truncated = True
            line = line._replace(stream=base.CUT, text=base.cut_text(self._max_bytes))
        log.lines.append(line)
        log.size += size

    def read(self, execution_id: str, after: int = 0, limit: int = 1000) -> list[Line]:
        base.check_execution(execution_id)
        log = self._logs.get(execution_id)
        if log is None or limit <= 0:
            return []
        start = max(after, 0)
        return log.lines[start : start + min(limit, base.MAX_READ_LINES)]

    def tail(self, execution_id: str, lines: int = 100) -> list[Line]:
        return self.read(execution_id, max(self.count(execution_id) - lines, 0), lines)

    def count(self, execution_id: str) -> int:
        return self.state(execution_id).lines

    def size(self, execution_id: str) -> int:
        return self.state(execution_id).size

    def state(self, execution_id: str) -> LogState:
        base.check_execution(execution_id)
        log = self._logs.get(execution_id, _Log())
        return LogState(len(log.lines), log.size, log.finished, log.truncated, log.masked)

    def finish(self, execution_id: str, masked: int = 0) -> LogState:
        base.check_execution(execution_id)
        with self._lock:
            log = self._logs.setdefault(execution_id, _Log())
            if not log.finished:
                log.finished, log.masked = True, masked
        return self.state(execution_id)

    def delete(self, execution_id: str) -> None:
        base.check_execution(execution_id)
        with self._lock:
            self._logs.pop(execution_id, None)

    def search(
        self,
        execution_id: str,
        pattern: str,
        *,
        regex: bool = False,
        case: bool = False,
        limit: int = 100,
        seconds: float = 2.0,
    ) -> Found:
        base.check_execution(execution_id)
        base.check_pattern(pattern, regex=regex)
        wanted = re.compile(pattern if regex else re.escape(pattern), 0 if case else re.IGNORECASE)
        until = time.monotonic() + seconds
        found: list[Line] = []
        total = 0
        log = self._logs.get(execution_id, _Log())
        for line in tuple(log.lines):
            if (
                time.monotonic() > until
            ):  # one hopeless expression on one line can still take longer: memory is for tests
                return Found(found, total, complete=False)
            if wanted.search(base.SEQUENCE.sub("", line.text)):
                total += 1
                if total <= min(limit, base.MAX_FOUND):
                    found.append(line)
        return Found(found, total, complete=True)
