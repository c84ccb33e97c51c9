r"""Build logs as files: one append-only file for each execution, and beside it a sparse index of offsets.

The format is in docs/reference/log-format.md. A line is `number \t at_ms \t stage \t stream \t text \n` in
UTF-8; the index holds, for every 1024th line, its offset as eight bytes, so that reading from any line costs
one seek and a short skip.
"""

from __future__ import annotations

import collections
import contextlib
import fcntl
import json
import os
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from imagefactory.adapters.logs import base, scan
from imagefactory.adapters.logs.base import Found, Line, LogState

EVERY: Final = 1024
_TAIL: Final = 2 * base.MAX_LINE_BYTES  # always holds one whole line
_STEP: Final = 262_144
_CURSORS: Final = 4096
_WRITERS: Final = 512


class _Writer:
    """What the appending process knows of one file: the next number and where it goes."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        self.log = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o640)
        self.index = os.open(path.with_suffix(".idx"), os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o640)
        self.lock = threading.Lock()
        self.next = 1
        self.size = -1
        self.truncated = False

    def close(self) -> None:
        os.close(self.log)
        os.close(self.index)

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Hold this file against other threads and processes; look again when another wrote to it."""
        with self.lock:
            fcntl.flock(self.log, fcntl.LOCK_EX)
            try:
                if os.fstat(self.log).st_size != self.size:
                    self._repair()
                yield
            finally:
                fcntl.flock(self.log, fcntl.LOCK_UN)

    def _repair(self) -> None:
        """Find the last good line, and cut off what a killed writer or a power cut left behind it."""
        size = os.fstat(self.log).st_size
        entries = os.fstat(self.index).st_size // 8
        start, number = 0, 1
        while entries > 0:
            offset = int.from_bytes(os.pread(self.index, 8, (entries - 1) * 8), "little")
            if offset < size and _number_at(self.log, offset) == entries * EVERY + 1:
                start, number = offset, entries * EVERY + 1
                break
            entries -= 1
        os.ftruncate(self.index, entries * 8)
        last = b""
        rest = b""
        position = start
        marks: list[int] = []
        while True:
            chunk = os.pread(self.log, _STEP, position + len(rest))
            *whole, rest = (rest + chunk).split(b"\n")
            for raw in whole:
                if not raw.startswith(b"%d\t" % number) or raw.count(b"\t") < 4:
                    chunk = b""
                    break
                last = raw
                position += len(raw) + 1
                number += 1
                if number % EVERY == 1:
                    marks.append(position)
            if not chunk:
                break
        marks = [mark for mark in marks if mark < position] if marks and marks[-1] == position else marks
        if marks:
            os.write(self.index, b"".join(mark.to_bytes(8, "little") for mark in marks))
        if position != size:
            os.ftruncate(self.log, position)
        self.next, self.size = number, position
        self.truncated = b"\t%s\t" % base.CUT.encode() in last[:96] and _is_cut(last)

    def write(self, data: bytes, marks: list[int]) -> None:
        """Append whole lines, then their index entries; a disk that refuses leaves the file as it was."""
        try:
            view = memoryview(data)
            while view:
                view = view[os.write(self.log, view) :]
            if marks:
                os.write(self.index, b"".join(mark.to_bytes(8, "little") for mark in marks))
        except OSError as error:
            with contextlib.suppress(OSError):
                os.ftruncate(self.log, self.size)
            self.size = -1
            raise base.LogError(
                f"The log could not be written: {error.strerror}. Free space in the data directory; "
                "nothing is lost, the "
                "lines are sent again."
            ) from error
        self.size += len(data)


class FileLogStore:
    """Keeps logs below one directory on this machine. `LogStore` says what each method promises."""

    def __init__(self, directory: Path, max_bytes: int = 268_435_456) -> None:
        """Keep logs in `directory`, each at most about `max_bytes` long; nothing is opened or made yet."""
        self._directory = directory
        self._max_bytes = max_bytes
        self._writers: collections.OrderedDict[str, _Writer] = collections.OrderedDict()
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

    def _write(self, writer: _Writer, lines: Sequence[Line]) -> None:
        data = _encode(lines)
        if data.count(b"\n") != len(lines):
            raise base.LogLineInvalid("A line has a line break inside; split it first.")
        truncated = False
        if writer.size + len(data) > self._max_bytes:
            lines, data, truncated = self._cut(writer.size, lines), b"", True
            data = _encode(lines)
        number = writer.next + len(lines)
        writer.write(data, _marks(data, writer.next, len(lines), writer.size))
        writer.next, writer.truncated = number, truncated

    def _cut(self, size: int, lines: Sequence[Line]) -> Sequence[Line]:
        kept: list[Line] = []
        for line in lines:
            size += len(_encode([line]))
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
            lines, offset = _take(log, offset, number, after, limit)
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
            number = _number_at(log, known)
            if number == after + 1 or (number is None and known == os.fstat(log).st_size):
                return known, after + 1
        entry = after // EVERY
        if entry:
            with contextlib.suppress(FileNotFoundError), path.with_suffix(".idx").open("rb") as index:
                entry = min(entry, os.fstat(index.fileno()).st_size // 8)
                while entry > 0:
                    offset = int.from_bytes(os.pread(index.fileno(), 8, (entry - 1) * 8), "little")
                    if _number_at(log, offset) == entry * EVERY + 1:
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
        return (int(number), _is_cut(raw)) if number.isdigit() else (0, False)

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

    def _writer(self, execution_id: str) -> _Writer:
        path = self.path(execution_id)
        with self._lock:
            writer = self._writers.get(execution_id)
            if writer is None:
                try:
                    writer = self._writers[execution_id] = _Writer(path)
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


def _encode(lines: Sequence[Line]) -> bytes:
    return "".join(
        [
            f"{number}\t{at_ms}\t{stage}\t{stream}\t{base.shortened(text)}\n"
            for number, at_ms, stage, stream, text in lines
        ]
    ).encode("utf-8", "replace")


def _marks(data: bytes, first: int, count: int, size: int) -> list[int]:
    """Return the offsets of the lines in `data` that the index names: 1025, 2049, ..."""
    marks: list[int] = []
    wanted = first + (1 - first) % EVERY
    if wanted == 1:
        wanted += EVERY
    if wanted >= first + count:
        return marks
    position = 0
    for number in range(first, first + count):
        if number == wanted:
            marks.append(size + position)
            wanted += EVERY
        position = data.index(b"\n", position) + 1
    return marks


def _number_at(log: int, offset: int) -> int | None:
    if offset > os.fstat(log).st_size:
        return None
    number, tab, _ = os.pread(log, 24, offset).partition(b"\t")
    return int(number) if tab and number.isdigit() else None


def _take(log: int, offset: int, number: int, after: int, limit: int) -> tuple[list[Line], int]:
    """Read whole lines from `offset` on; returns those above `after` and the offset behind the last."""
    lines: list[Line] = []
    rest = b""
    read = 0
    while len(lines) < limit and read < base.MAX_READ_BYTES:
        chunk = os.pread(log, _STEP, offset + len(rest))
        if not chunk:
            break
        *whole, rest = (rest + chunk).split(b"\n")
        for raw in whole:
            if len(lines) >= limit:
                break
            parts = raw.split(b"\t", 4)
            if len(parts) != 5 or parts[0] != b"%d" % number:
                return lines, offset  # what a crash left; the next writer cuts it off
            offset += len(raw) + 1
            if number > after:
                lines.append(
                    Line(
                        number,
                        int(parts[1]),
                        parts[2].decode(),
                        parts[3].decode(),
                        parts[4].decode("utf-8", "replace"),
                    )
                )
                read += len(raw)
            number += 1
    return lines, offset


def _is_cut(raw: bytes) -> bool:
    parts = raw.split(b"\t", 4)
    return len(parts) == 5 and parts[3] == base.CUT.encode()
