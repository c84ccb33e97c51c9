"""From the bytes of a process to numbered lines: decoded, harmless, masked, and few where a progress bar
made many.

Order matters: controls are dropped before secrets are looked for (a NUL inside a secret would hide it), and
secrets are masked before lines are cut (half a secret at the end of a cut line would be none).
"""

from __future__ import annotations

import codecs
import dataclasses
import re
from collections.abc import Iterator
from typing import Final

from imagefactory.adapters.logs.base import MAX_LINE_BYTES, STREAMS, Line
from imagefactory.adapters.logs.masking import Masker

# Kept: tab, line feed, carriage return, and the ESC of those sequences that `_SEQUENCE` keeps.
_CONTROLS = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1a\x1c-\x1f\x7f-\x9f\u2028\u2029]")
_RETURN = re.compile(r"\r+\n")
# ECMA-48: control strings (OSC, DCS, PM, APC, SOS; xterm ends them with BEL too), control sequences, two-
# character
# escapes. Colours (SGR) are kept.
_SEQUENCE = re.compile(
    r"(\x1b\[[0-9;:]{0,64}m)|\x1b[\]PX^_][^\x07\x1b\n\r]*(?:\x07|\x1b\\)?"
    r"|\x1b\[[0-?]*[ -/]*[@-~]?|\x1b[ -/]*[0-Z\\-~]?"
)
# A sequence that the rest of which may still come.
_BEGUN = re.compile(r"\x1b(?:\[[0-?]*[ -/]*|[\]PX^_][^\x07\x1b\n\r]*\x1b?|[ -/]*)\Z")
_MAX_SEQUENCE: Final = 4096
_BLANK = re.compile(r"(?:\x1b\[[0-9;:]*m|[ \t])*")
_PIECE: Final = MAX_LINE_BYTES // 4 - 64  # characters; UTF-8 takes at most four bytes for one
CONTINUED: Final = " [continued on the next line]"


@dataclasses.dataclass
class _Stream:
    decoder: codecs.IncrementalDecoder
    escape: str = ""  # the beginning of a control sequence
    partial: str = ""  # the line that is not complete yet; of its earlier states only the last
    given: bool = False  # whether a state of that line was given out already
    since_ms: int = 0
    progress_ms: int = 0

    def text(self, data: bytes, *, final: bool = False) -> str:
        """Decode, and drop what could do harm."""
        text = self.escape + self.decoder.decode(data, final)
        self.escape = ""
        if "\x1b" in text:
            begun = None if final else _BEGUN.search(text, max(len(text) - _MAX_SEQUENCE, 0))
            if begun is not None:
                self.escape, text = text[begun.start() :], text[: begun.start()]
            text = _SEQUENCE.sub(r"\1", text)
        return _CONTROLS.sub("", text)


class Assembler:
    """Makes the lines of one execution; used by one thread.

    `progress_ms`: of a line that is rewritten with carriage returns, one state is kept in this time, and the
    last one.
    `flush_ms`: text without a line end is shown as a line of its own after this time (a prompt, a hung
    download).
    """

    def __init__(
        self,
        masker: Masker | None = None,
        *,
        first_number: int = 1,
        progress_ms: int = 200,
        flush_ms: int = 1000,
    ) -> None:
        self._masker = masker or Masker(())
        self._next = first_number
        self._stage = ""
        self._streams: dict[str, _Stream] = {}
        self._progress_ms = progress_ms
        self._flush_ms = flush_ms

    @property
    def next_number(self) -> int:
        """The number that the next line will have."""
        return self._next

    @property
    def masked(self) -> int:
        """How many values were masked so far."""
        return self._masker.masked

    def enter(self, stage: str, at_ms: int) -> list[Line]:
        """Begin a stage. Returns what was left of the one before."""
        lines = self.end(at_ms)
        self._stage = stage
        return lines

    def note(self, text: str, at_ms: int) -> list[Line]:
        """Add sentences of the factory itself, masked like everything else."""
        lines = [*self.feed("note", text.rstrip("\n").encode("utf-8", "replace") + b"\n", at_ms)]
        return [*lines, *self._end("note", at_ms)]

    def feed(self, stream: str, data: bytes, at_ms: int) -> list[Line]:
        """Take bytes as the process wrote them and return the lines that are complete by now.

        Raises ValueError for a stream that there is not.
        """
        if stream not in STREAMS:
            raise ValueError(f"There is no stream {stream!r}; use out, err or note.")
        state = self._streams.get(stream)
        if state is None:
            state = self._streams[stream] = _Stream(codecs.getincrementaldecoder("utf-8")("replace"))
        return self._split(stream, state, self._masker.feed(stream, state.text(data)), at_ms)

    def tick(self, at_ms: int) -> list[Line]:
        """Return what has waited too long for its line end; call it a few times a second."""
        lines: list[Line] = []
        for stream, state in self._streams.items():
            if state.partial and at_ms - state.since_ms >= self._flush_ms:
                text, state.partial = _last_state(state.partial), ""
                lines += self._given(stream, state, text, at_ms)
        return lines

    def end(self, at_ms: int) -> list[Line]:
        """Return all that is left: the processes of this stage have ended. More may be fed afterwards."""
        return [line for stream in list(self._streams) for line in self._end(stream, at_ms)]

    def _end(self, stream: str, at_ms: int) -> list[Line]:
        state = self._streams[stream]
        text = state.text(b"", final=True)
        state.decoder.reset()
        text = self._masker.feed(stream, text) + self._masker.flush(stream)
        lines = self._split(stream, state, text, at_ms)
        lines += self._given(stream, state, _last_state(state.partial), at_ms)
        state.partial, state.given = "", False
        return lines

    def _split(self, stream: str, state: _Stream, text: str, at_ms: int) -> list[Line]:
        if not text:
            return []
        if not state.partial:
            state.since_ms = at_ms
        text = state.partial + text
        if "\r" in text:
            text = _RETURN.sub("\n", text)
        *whole, rest = text.split("\n")
        lines: list[Line] = []
        for one in whole:
            shown = _last_state(one)
            if shown or not state.given:  # else it was shown before its line end came
                lines += self._lines(stream, shown, at_ms)
            state.given = False
        if whole:
            state.since_ms = at_ms
        state.partial = rest
        if "\r" in rest:
            lines += self._progress(stream, state, at_ms)
        if len(state.partial) > _PIECE * 4:
            text = _last_state(state.partial)
            whole_pieces = len(text) // _PIECE * _PIECE
            for start in range(0, whole_pieces, _PIECE):
                lines.append(self._line(stream, text[start : start + _PIECE] + CONTINUED, at_ms))
            state.partial, state.given = text[whole_pieces:], True
        return lines

    def _progress(self, stream: str, state: _Stream, at_ms: int) -> list[Line]:
        """Keep of a rewritten line its last state, and give it out when the one before is old enough.

        A carriage return at the very end may be half of a line end; it rewrites nothing yet.
        """
        body = state.partial.rstrip("\r")
        end = state.partial[len(body) :][:1]
        before, again, last = body.rpartition("\r")
        if not again:
            state.partial = body + end
            return []
        shown = _last_state(before)
        if shown and at_ms - state.progress_ms >= self._progress_ms:
            state.progress_ms = at_ms
            state.partial = last + end
            return self._given(stream, state, shown, at_ms)
        state.partial = f"{shown}\r{last}{end}" if shown else last + end
        return []

    def _given(self, stream: str, state: _Stream, text: str, at_ms: int) -> list[Line]:
        """Give out a line before its end came."""
        if not text:
            return []
        state.given = True
        return list(self._lines(stream, text, at_ms))

    def _lines(self, stream: str, text: str, at_ms: int) -> Iterator[Line]:
        while len(text) > _PIECE:
            yield self._line(stream, text[:_PIECE] + CONTINUED, at_ms)
            text = text[_PIECE:]
        yield self._line(stream, text, at_ms)

    def _line(self, stream: str, text: str, at_ms: int) -> Line:
        line = Line(self._next, at_ms, self._stage, stream, text)
        self._next += 1
        return line


def _last_state(text: str) -> str:
    """Return what a terminal would show of a line that was rewritten with carriage returns."""
    if "\r" not in text:
        return text
    return next((state for state in reversed(text.split("\r")) if not _BLANK.fullmatch(state)), "")
