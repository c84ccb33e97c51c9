"""The one process that appends to a log file: what is next, what a crash left behind, and whole lines only."""

from __future__ import annotations

import contextlib
import fcntl
import os
import threading
from collections.abc import Iterator
from pathlib import Path

from imagefactory.adapters.logs import base
from imagefactory.adapters.logs.file_format import EVERY, STEP, is_cut, number_at


class Writer:
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
            if offset < size and number_at(self.log, offset) == entries * EVERY + 1:
                start, number = offset, entries * EVERY + 1
                break
            entries -= 1
        os.ftruncate(self.index, entries * 8)
        last = b""
        rest = b""
        position = start
        marks: list[int] = []
        while True:
            chunk = os.pread(self.log, STEP, position + len(rest))
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
        self.truncated = b"\t%s\t" % base.CUT.encode() in last[:96] and is_cut(last)

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
