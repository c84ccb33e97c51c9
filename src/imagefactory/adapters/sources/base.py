"""What a source promises: files in an empty directory, bounded in size and count, and nothing outside of it."""

from __future__ import annotations

import dataclasses


class SourceFailed(Exception):  # noqa: N818 - reads as what happened
    """The source could not be had. `code` is stable; the message says what to do; `who` can do it.

    Codes: source_unreachable, source_denied, ref_not_found, source_too_large, source_invalid.
    """

    def __init__(self, code: str, message: str, who: str = "you") -> None:
        super().__init__(message)
        self.code, self.who = code, who


@dataclasses.dataclass(frozen=True)
class Fetched:
    """What was fetched: the commit, when it is from Git, and how much it is."""

    size_bytes: int
    files: int
    commit: str = ""
    message: str = ""
    commit_time: int | None = None
