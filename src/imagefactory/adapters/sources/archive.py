"""Uploaded archives (tar, zip) unpacked as if their author were hostile."""

from __future__ import annotations

import os
import stat
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import IO, BinaryIO

from imagefactory.adapters.sources.base import Fetched, SourceFailed

MAX_FILES = 100_000
_PIECE = 1024 * 1024


def unpack(content: BinaryIO, filename: str, target: Path, *, max_bytes: int) -> Fetched:
    """Unpack into the empty directory `target`: regular files, directories and links that stay inside.

    Raises SourceFailed for a broken archive, one that is too large, or one with names that lead out.
    """
    writer = _Writer(target, max_bytes)
    try:
        if filename.lower().endswith(".zip"):
            _unzip(content, writer)
        else:
            _untar(content, writer)
    except (tarfile.TarError, zipfile.BadZipFile, EOFError, OSError, RuntimeError, ValueError, NotImplementedError) as error:
        raise SourceFailed(
            "source_invalid", f"The archive {filename} cannot be unpacked ({str(error)[:200]}). Make it again and upload it."
        ) from None
    return Fetched(writer.size, writer.files)


class _Writer:
    """Writes below one directory and counts."""

    def __init__(self, target: Path, max_bytes: int) -> None:
        self.target, self.max_bytes = target, max_bytes
        self.size = self.files = 0

    def place(self, name: str) -> Path | None:
        """Return where a member goes, after its parents were made; None for the top directory itself.

        Raises SourceFailed for a name that leads out, or through a link.
        """
        path = PurePosixPath(name)
        parts = [p for p in path.parts if p != "."]
        if path.is_absolute() or ".." in parts or "\\" in name or "\0" in name:
            raise SourceFailed("source_invalid", f"The archive has a name that leads out of it: {name[:200]!r}. Make it without such names.")
        self.files += 1
        if self.files > MAX_FILES:
            raise SourceFailed("source_too_large", f"The archive has more than {MAX_FILES:,} files. Leave out what the build does not need.")
        if not parts:
            return None
        here = self.target
        for part in parts[:-1]:
            here /= part
            if here.is_symlink():
                raise SourceFailed("source_invalid", f"The archive writes through a link: {name[:200]!r}.")
            here.mkdir(exist_ok=True)
        return here / parts[-1]

    def write(self, path: Path, source: IO[bytes], mode: int) -> None:
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o755 if mode & 0o100 else 0o644)
        with os.fdopen(fd, "wb") as out:
            while piece := source.read(_PIECE):
                self.size += len(piece)
                if self.size > self.max_bytes:
                    raise SourceFailed(
                        "source_too_large",
                        f"The source is larger than {self.max_bytes // (1024 * 1024)} MiB when unpacked, the limit here. "
                        "Leave out what the build does not need.",
                    )
                out.write(piece)

    def link(self, path: Path, to: str) -> None:
        inside = os.path.normpath(path.parent.relative_to(self.target) / to)
        if to.startswith("/") or inside.startswith(".."):
            raise SourceFailed("source_invalid", f"The archive has a link that leads out of it: {path.name[:100]!r} to {to[:100]!r}.")
        path.symlink_to(to)


def _untar(content: BinaryIO, writer: _Writer) -> None:
    with tarfile.open(fileobj=content, mode="r:*") as tar:
        for member in tar:
            path = writer.place(member.name)
            if path is None:
                continue
            if member.isdir():
                path.mkdir(exist_ok=True)
            elif member.issym():
                writer.link(path, member.linkname)
            elif member.isreg() and (source := tar.extractfile(member)) is not None:
                writer.write(path, source, member.mode)
            else:
                raise SourceFailed("source_invalid", f"The archive holds {member.name[:200]!r}, which is neither file, directory nor link.")


def _unzip(content: BinaryIO, writer: _Writer) -> None:
    with zipfile.ZipFile(content) as archive:
        for info in _members(archive):
            mode = info.external_attr >> 16
            path = writer.place(info.filename)
            if path is None:
                continue
            if info.is_dir():
                path.mkdir(exist_ok=True)
            elif stat.S_ISLNK(mode):
                writer.link(path, archive.read(info)[:4096].decode("utf-8", "strict"))
            else:
                with archive.open(info) as source:
                    writer.write(path, source, mode)


def _members(archive: zipfile.ZipFile) -> Iterator[zipfile.ZipInfo]:
    yield from archive.infolist()
