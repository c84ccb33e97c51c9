"""Build logs as files: one append-only file for each execution, read by any number of processes while it grows."""

from __future__ import annotations

import collections
import contextlib
import json
import os
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from imagefactory.adapters.logs import base, scan
from imagefactory.adapters.logs.base import Found, Line, LogState
from imagefactory.adapters.logs.file_format import EVERY, encode, is_cut, marks_in, number_at, take
from imagefactory.adapters.logs.file_writer import Writer

_TAIL: Final = 2 * base.MAX_LINE_BYTES  # always holds one whole line
_CURSORS: Final = 4096
_WRITERS: Final = 512


class FileLogStore:
    """Keeps logs below one directory on this machine. `LogStore` says what each method promises."""

    def __init__(self, directory: Path, max_bytes: int = 268_435_456) -> None:
        """Keep logs in `directory`, each at most about `max_bytes` long; nothing is opened or made yet."""
        self._directory = directory
        self._max_bytes = max_bytes
        self._writers: collections.OrderedDict[str, Writer] = collections.OrderedDict()
        self._cursors: collections.OrderedDict[tuple[str, int], int] = collections.OrderedDict()
        self._lock = threading.Lock()

    def path(self, execution_id: str) -> Path:
        """Return where the log of this execution is; it need not exist. For downloads."""
        base.check_execution(execution_id)
        return self._directory / execution_id[-2:].lower() / f"{execution_id}.log"

    def append(self, execution_id: str, first_number: int, lines: Sequence[Line]) -> int:
        base.check_lines(first_number, lines)
        writer = self._writer(execution_id)
        with writer.held():
            after = first_number + len(lines)
            if writer.truncated:
                return max(after, writer.next)
            if first_number > writer.next:
                raise base.LogGap(execution_id, first_number, writer.next)
            fresh = lines[writer.next - first_number :]
            if fresh:
                if self._end_path(execution_id).exists():
                    raise base.LogFinished(f"The log of execution {execution_id} is complete; it takes no more lines.")
                self._write(writer, fresh)
            return max(after, writer.next)

    def _write(self, writer: Writer, lines: Sequence[Line]) -> None:
        data = encode(lines)
        if data.count(b"\n") != len(lines):
            raise base.LogLineInvalid("A line has a line break inside; split it first.")
        truncated = False
        if writer.size + len(data) > self._max_bytes:
            lines, data, truncated = self._cut(writer.size, lines), b"", True
            data = encode(lines)
        number = writer.next + len(lines)
        writer.write(data, marks_in(data, writer.next, len(lines), writer.size))
        writer.next, writer.truncated = number, truncated

    def _cut(self, size: int, lines: Sequence[Line]) -> Sequence[Line]:
        kept: list[Line] = []
        for line in lines:
            size += len(encode([line]))
            if size > self._max_bytes:
                return [*kept, line._replace(stream=base.CUT, text=base.cut_text(self._max_bytes))]
            kept.append(line)
        return kept

    def read(self, execution_id: str, after: int = 0, limit: int = 1000) -> list[Line]:
        after, limit = max(after, 0), min(limit, base.MAX_READ_LINES)
        path = self.path(execution_id)
        if limit <= 0:
            return []
        try:
            log = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return []
        try:
            offset, number = self._near(execution_id, log, path, after)
            lines, offset = take(log, offset, number, after, limit)
        finally:
            os.close(log)
        if lines:
            with self._lock:
                self._cursors[execution_id, lines[-1].number] = offset
                while len(self._cursors) > _CURSORS:
                    self._cursors.popitem(last=False)
        return lines

    def _near(self, execution_id: str, log: int, path: Path, after: int) -> tuple[int, int]:
        """Return an offset at or before the line behind `after`, and the number of the line that begins
        there.
        """
        with self._lock:
            known = self._cursors.get((execution_id, after))
        if known is not None:
            number = number_at(log, known)
            if number == after + 1 or (number is None and known == os.fstat(log).st_size):
                return known, after + 1
        entry = after // EVERY
        if entry:
            with contextlib.suppress(FileNotFoundError), path.with_suffix(".idx").open("rb") as index:
                entry = min(entry, os.fstat(index.fileno()).st_size // 8)
                while entry > 0:
                    offset = int.from_bytes(os.pread(index.fileno(), 8, (entry - 1) * 8), "little")
                    if number_at(log, offset) == entry * EVERY + 1:
                        return offset, entry * EVERY + 1
                    entry -= 1
        return 0, 1

    def tail(self, execution_id: str, lines: int = 100) -> list[Line]:
        lines = min(lines, base.MAX_READ_LINES)
        return self.read(execution_id, max(self.count(execution_id) - lines, 0), lines)

    def count(self, execution_id: str) -> int:
        return self._last(execution_id)[0]

    def size(self, execution_id: str) -> int:
        try:
            return self.path(execution_id).stat().st_size
        except FileNotFoundError:
            return 0

    def state(self, execution_id: str) -> LogState:
        try:
            end = json.loads(self._end_path(execution_id).read_bytes())
        except (FileNotFoundError, ValueError):
            end = None
        number, truncated = self._last(execution_id)
        masked = int(end.get("masked", 0)) if end else 0
        return LogState(number, self.size(execution_id), end is not None, truncated, masked)

    def _last(self, execution_id: str) -> tuple[int, bool]:
        """Return the number of the last whole line, and whether it is the mark of a truncation."""
        try:
            log = os.open(self.path(execution_id), os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return 0, False
        try:
            size = os.fstat(log).st_size
            data = os.pread(log, _TAIL, max(size - _TAIL, 0))
        finally:
            os.close(log)
        raw = data[: data.rfind(b"\n")].rpartition(b"\n")[2] if b"\n" in data else b""
        number = raw.partition(b"\t")[0]
        return (int(number), is_cut(raw)) if number.isdigit() else (0, False)

    def finish(self, execution_id: str, masked: int = 0) -> LogState:
        writer = self._writer(execution_id)
        end = self._end_path(execution_id)
        with writer.held():
            if not end.exists():
                os.fsync(writer.log)
                draft = end.with_suffix(f".end-{os.getpid()}")
                draft.write_text(json.dumps({"lines": writer.next - 1, "size": writer.size, "masked": masked}))
                draft.replace(end)
        self._forget(execution_id)
        return self.state(execution_id)

    def close(self) -> None:
        """Close the files that are open for appending; the store can be used again."""
        for execution_id in list(self._writers):
            self._forget(execution_id)

    def delete(self, execution_id: str) -> None:
        path = self.path(execution_id)
        self._forget(execution_id)
        for suffix in (".end", ".idx", ".log"):
            path.with_suffix(suffix).unlink(missing_ok=True)

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
        path = self.path(execution_id)
        base.check_pattern(pattern, regex=regex)
        if not path.exists():
            return Found()
        numbers, total, complete = scan.search(
            path,
            pattern,
            regex=regex,
            case=case,
            limit=min(limit, base.MAX_FOUND),
            until=time.monotonic() + seconds,
        )
        lines = [line for number in numbers for line in self.read(execution_id, number - 1, 1)]
        return Found(lines, total, complete)

    def _end_path(self, execution_id: str) -> Path:
        return self.path(execution_id).with_suffix(".end")

    def _writer(self, execution_id: str) -> Writer:
        path = self.path(execution_id)
        with self._lock:
            writer = self._writers.get(execution_id)
            if writer is None:
                try:
                    writer = self._writers[execution_id] = Writer(path)
                except OSError as error:
                    raise base.LogError(
                        f"The log directory {self._directory} cannot be written: {error.strerror}. Make "
                        "it writable for "
                        "the factory's user."
                    ) from error
                if len(self._writers) > _WRITERS:
                    self._drop_idle()
            self._writers.move_to_end(execution_id)
            return writer

    def _drop_idle(self) -> None:
        for execution_id, writer in list(self._writers.items())[: _WRITERS // 2]:
            if writer.lock.acquire(blocking=False):
                del self._writers[execution_id]
                writer.close()
                writer.lock.release()

    def _forget(self, execution_id: str) -> None:
        with self._lock:
            writer = self._writers.pop(execution_id, None)
        if writer is not None:
            with writer.lock:
                writer.close()
