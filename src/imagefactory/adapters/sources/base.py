"""What a source promises: a directory is filled with exactly one state of somebody's files, or a sentence says why not.

Every call here is blocking, may be repeated, and may be made by several threads at once for different destinations. After
a failure the destination may hold part of the files: the caller throws it away. Nothing of a credential is ever in an
argument list, an address, a message or the destination.
"""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Callable
from pathlib import Path
from typing import Literal, Protocol

Tell = Callable[[str], None]  # takes one line for the build's log


class Problem(enum.StrEnum):
    """Why a source could not be read; stable codes for API and statistics."""

    NOT_ALLOWED = "not_allowed"
    UNREACHABLE = "unreachable"
    AUTH_REFUSED = "auth_refused"
    REPOSITORY_NOT_FOUND = "repository_not_found"
    BRANCH_NOT_FOUND = "branch_not_found"
    COMMIT_NOT_FOUND = "commit_not_found"
    TOO_LARGE = "too_large"
    INVALID_ARCHIVE = "invalid_archive"
    TIMED_OUT = "timed_out"
    FAILED = "failed"


class SourceUnavailable(Exception):
    """The source could not be read. The message is a sentence for the person who started the build."""

    def __init__(self, problem: Problem, message: str) -> None:
        super().__init__(message)
        self.problem = problem


@dataclasses.dataclass(frozen=True)
class Credential:
    """What opens a repository: user name and password or token, or an SSH private key. Its text never shows the secret."""

    kind: Literal["password", "ssh_key"]
    secret: str = dataclasses.field(repr=False)
    username: str = "git"
    known_hosts: str = ""


@dataclasses.dataclass(frozen=True)
class SourceLimits:
    """How much one source may hold after unpacking, and how long reading it may take."""

    max_bytes: int = 1024 * 1024 * 1024
    max_files: int = 200_000
    timeout_seconds: float = 300.0


@dataclasses.dataclass(frozen=True)
class Fetched:
    """What was fetched. `commit` is empty for sources that know no commits; `committed_at` is in seconds since 1970."""

    commit: str
    message: str
    author: str
    size_bytes: int
    files: int
    committed_at: int | None = None


@dataclasses.dataclass(frozen=True)
class Look:
    """What a repository offers: its branches and tags by name with their commits, and the branch it calls its own."""

    default_branch: str
    branches: dict[str, str]
    tags: dict[str, str]


class Repositories(Protocol):
    """Git repositories, by address."""

    def look(self, url: str, credential: Credential | None = None) -> Look:
        """Return what the repository offers; also the test of whether it can be reached. Raises SourceUnavailable."""
        ...

    def fetch(
        self,
        url: str,
        ref: str,
        destination: Path,
        *,
        credential: Credential | None = None,
        tell: Tell | None = None,
    ) -> Fetched:
        """Fill an empty directory with the files of a branch, tag or commit (empty: the default branch).

        The files are those of exactly the commit that is returned. Raises SourceUnavailable.
        """
        ...


def human_size(count: int) -> str:
    """Return a number of bytes as people read it, in powers of 1024."""
    size = float(count)
    for unit in ("bytes", "KiB", "MiB"):
        if size < 1024:
            return f"{size:.0f} {unit}" if unit == "bytes" else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.1f} GiB"


def too_large(size: int, files: int, limits: SourceLimits, *, at_least: str = "") -> str:
    """Return the sentence about a source of this many bytes and files, of which there may be more (`at_least`)."""
    return (
        f"The source holds {at_least}{human_size(size)} in {files:,} file{'' if files == 1 else 's'}, and at most "
        f"{human_size(limits.max_bytes)} and {limits.max_files:,} files are allowed. Take out what the build does not need (a .dockerignore comes too late: it "
        "is read after the source was fetched), or ask the operator to raise IMAGEFACTORY_MAX_CONTEXT_MIB."
    )
