"""The log of one execution: bytes in, masked and numbered lines stored and told of, from one thread."""

from __future__ import annotations

import logging
import time

from imagefactory.adapters.logs.assemble import Assembler
from imagefactory.adapters.logs.base import Line, LogError, LogStore
from imagefactory.adapters.logs.masking import Masker
from imagefactory.adapters.logs.notify import LogNotifier

log = logging.getLogger(__name__)


class LogWriter:
    """Writes one execution's log. Not safe for several threads."""

    def __init__(self, store: LogStore, notifier: LogNotifier, execution_id: str, masker: Masker) -> None:
        self._store, self._notifier, self._id = store, notifier, execution_id
        self._lines = Assembler(masker)
        self.failed = ""

    @staticmethod
    def _now() -> int:
        return time.time_ns() // 1_000_000

    @property
    def last(self) -> int:
        """The number of the last line written."""
        return self._lines.next_number - 1

    @property
    def masked(self) -> int:
        return self._lines.masked

    def enter(self, stage: str) -> int:
        """Begin a stage and return the number of its first line."""
        self._keep(self._lines.enter(stage, self._now()))
        return self._lines.next_number

    def note(self, text: str) -> None:
        """Say something in the factory's own voice."""
        self._keep(self._lines.note(text, self._now()))

    def feed(self, stream: str, data: bytes) -> list[Line]:
        """Take output of a process and return the lines that it completed."""
        lines = self._lines.feed(stream, data, self._now())
        self._keep(lines)
        return lines

    def tick(self) -> None:
        self._keep(self._lines.tick(self._now()))

    def finish(self) -> None:
        """Write what is left and declare the log complete."""
        self._keep(self._lines.end(self._now()))
        try:
            self._store.finish(self._id, masked=self.masked)
        except LogError as error:
            log.warning("log of %s not finished: %s", self._id, error)
        self._notifier.touch(self._id)

    def _keep(self, lines: list[Line]) -> None:
        if not lines or self.failed:
            return
        try:
            self._store.append(self._id, lines[0].number, lines)
        except LogError as error:
            # A full disk must not kill the build's end; the log is cut here, and this process's own log says why.
            self.failed = str(error)
            log.error("log of %s stopped: %s", self._id, error)  # noqa: TRY400 - the sentence says it
        self._notifier.touch(self._id)
