"""What a store of build logs promises: numbered lines of one execution, appended once, read by many.

The contract, kept by every store and proved by `tests/logs/test_log_stores.py`:

* Lines of an execution are numbered 1, 2, 3, ... without holes. `append` may be repeated after any failure:
  lines that are there already are accepted and dropped, a hole is refused with `LogGap`.
* One process appends to an execution; any number of threads and processes read while it does. A reader sees
  whole lines only. After `finish` nothing is added; `finish` may be called twice.
* Past the store's size limit one line with the stream `cut` says so, and later lines are accepted and
  dropped.
* Reading an execution that the store does not know gives an empty log, not an error: its first line may be
  on its way.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence
from typing import Final, NamedTuple, Protocol

MAX_LINE_BYTES: Final = 65_536  # of UTF-8 text; `assemble` splits longer lines, a store cuts them with a mark
MAX_READ_LINES: Final = 10_000
MAX_READ_BYTES: Final = 4_194_304
MAX_FOUND: Final = 1_000
MAX_PATTERN: Final = 512
STREAMS: Final = frozenset({"out", "err", "note"})  # a process's two, and what the factory itself says
CUT: Final = "cut"  # the stream of the one line that states a truncation; only a store writes it

_EXECUTION = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{3,63}")
_STAGE = re.compile(r"[a-z0-9_-]{0,32}")
# What a terminal would obey: control sequences (ECMA-48). Search looks at the text between them.
SEQUENCE = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]")


class Line(NamedTuple):
    """One line: its number from 1, when it was written (ms since 1970), the stage, the stream and the text.

    The text holds no line break; of control characters only tabs and colour sequences (ECMA-48 SGR) are
    expected.
    """

    number: int
    at_ms: int
    stage: str
    stream: str
    text: str


@dataclasses.dataclass(frozen=True)
class LogState:
    """How far a log is: number of its last line, bytes stored, whether it is complete, and what is missing
    from it.
    """

    lines: int = 0
    size: int = 0
    finished: bool = False
    truncated: bool = False
    masked: int = 0


@dataclasses.dataclass(frozen=True)
class Found:
    """Result of a search: the first matching lines, how many match in all, and whether the whole log was
    looked at.
    """

    lines: Sequence[Line] = ()
    total: int = 0
    complete: bool = True


class LogError(Exception):
    """A log could not be written or read. The message is a sentence for people."""


class LogGap(LogError):
    """The lines begin after a hole; `expected` is the number to send next."""

    def __init__(self, execution_id: str, first: int, expected: int) -> None:
        super().__init__(
            f"Lines of execution {execution_id} were sent from {first}, but {expected} is next. Send from {expected}."
        )
        self.expected = expected


class LogFinished(LogError):
    """New lines came after the end of the log was declared."""


class LogLineInvalid(LogError):
    """A line breaks a rule: its number, stage, stream, or a line break inside."""


class PatternInvalid(LogError):
    """What was searched for is empty, too long, or no regular expression."""


class LogStore(Protocol):
    """Where build logs are kept."""

    def append(self, execution_id: str, first_number: int, lines: Sequence[Line]) -> int:
        """Add lines and return the number that is expected next.

        May be repeated. Raises LogGap, LogFinished, LogLineInvalid, and LogError when the disk refuses.
        """
        ...

    def read(self, execution_id: str, after: int = 0, limit: int = 1000) -> list[Line]:
        """Return lines with numbers above `after`, at most `limit`, MAX_READ_LINES and about MAX_READ_BYTES.

        An empty list means: nothing more for now.
        """
        ...

    def tail(self, execution_id: str, lines: int = 100) -> list[Line]:
        """Return the last lines."""
        ...

    def count(self, execution_id: str) -> int:
        """Return the number of the last line, 0 for an empty log."""
        ...

    def size(self, execution_id: str) -> int:
        """Return the bytes stored."""
        ...

    def state(self, execution_id: str) -> LogState:
        """Return how far the log is.

        Who wants to know whether a log is at its end asks this first and reads after it.
        """
        ...

    def finish(self, execution_id: str, masked: int = 0) -> LogState:
        """Declare the log complete, with the count of masked values. A second call changes nothing."""
        ...

    def delete(self, execution_id: str) -> None:
        """Remove the log; it need not exist."""
        ...

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
        """Look through the whole log, for at most `seconds`; colour sequences are not seen.

        Raises PatternInvalid.
        """
        ...


def check_execution(execution_id: str) -> None:
    """Refuse an id that is no plain name. Raises LogError."""
    if not _EXECUTION.fullmatch(execution_id):
        raise LogError(f"{execution_id[:80]!r} is not the id of an execution; logs are kept under plain ids only.")


def check_lines(first_number: int, lines: Sequence[Line]) -> None:
    """Refuse lines that are not numbered in sequence, or whose stage or stream is not allowed.

    Raises LogLineInvalid.
    """
    good: set[tuple[str, str]] = set()
    for expected, line in enumerate(lines, first_number):
        if line.number != expected:
            raise LogLineInvalid(f"Line {line.number} stands where {expected} belongs; number lines in sequence.")
        if (line.stage, line.stream) in good:
            continue
        if line.stream not in STREAMS or not _STAGE.fullmatch(line.stage):
            raise LogLineInvalid(
                f"Line {line.number} has stage {line.stage[:40]!r} and stream {line.stream[:40]!r}; a "
                "stage is lower-case "
                "letters, digits, _ and -, a stream is out, err or note."
            )
        good.add((line.stage, line.stream))


def shortened(text: str) -> str:
    """Return the text cut to MAX_LINE_BYTES of UTF-8, with a mark when something was cut."""
    if len(text) * 4 <= MAX_LINE_BYTES:
        return text
    data = text.encode("utf-8", "replace")
    if len(data) <= MAX_LINE_BYTES:
        return text
    kept = data[: MAX_LINE_BYTES - 64].decode("utf-8", "ignore")
    return f"{kept} [{len(data) - len(kept.encode())} more bytes of this line were cut]"


def cut_text(max_bytes: int) -> str:
    """Return the sentence that stands where a log was truncated."""
    return f"The log is cut here: it reached its limit of {max_bytes / 1_048_576:.6g} MiB. Later lines were dropped."


def check_pattern(pattern: str, *, regex: bool) -> None:
    """Raise PatternInvalid with a sentence when this cannot be searched for."""
    if not pattern or len(pattern) > MAX_PATTERN or "\n" in pattern:
        raise PatternInvalid(f"Search for 1 to {MAX_PATTERN} characters without a line break.")
    if regex:
        try:
            re.compile(pattern)
        except (re.error, OverflowError, RecursionError) as error:
            raise PatternInvalid(
                f"That is not a regular expression: {error}. Correct it, or search for text."
            ) from None
