"""Source files that stand in the manifest itself."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from imagefactory.adapters.sources.base import Fetched, Problem, SourceUnavailable

MAX_BYTES = 1024 * 1024


def write_inline(files: Mapping[str, str], destination: Path) -> Fetched:
    """Write path and text pairs below an empty directory.

    Raises SourceUnavailable when a path leaves the directory, two paths collide, or all is more than 1 MiB.
    """
    size = 0
    for name, text in files.items():
        path = PurePosixPath(name)
        if path.is_absolute() or ".." in path.parts or not path.parts or "\0" in name:
            raise SourceUnavailable(Problem.NOT_ALLOWED, f'"{name[:200]}" is not a path inside the source.')
        data = text.encode()
        size += len(data)
        if size > MAX_BYTES:
            raise SourceUnavailable(
                Problem.TOO_LARGE, "The inline files are larger than 1 MiB; upload an archive instead."
            )
        target = destination.joinpath(*path.parts)
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(data)
        except (FileExistsError, NotADirectoryError, IsADirectoryError):
            raise SourceUnavailable(
                Problem.NOT_ALLOWED,
                f'"{name[:200]}" is a file and a directory at once among the inline files.',
            ) from None
    return Fetched("", "", "", size, len(files))
