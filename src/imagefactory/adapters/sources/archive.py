"""Unpacks an uploaded source archive (tar, tar.gz, tar.bz2, tar.xz, zip) that may have been made to do harm.

Nothing is written outside the destination, through a link or over a device; size and count are counted while unpacking,
not believed. Owners and special mode bits are dropped.
"""

from __future__ import annotations

import bz2
import contextlib
import gzip
import lzma
import os
import posixpath
import stat
import tarfile
import zipfile
import zlib
from pathlib import Path
from typing import IO, Any

from imagefactory.adapters.sources.base import (
    Fetched,
    Problem,
    SourceLimits,
    SourceUnavailable,
    Tell,
    human_size,
    too_large,
)

_CHUNK = 256 * 1024
_MAX_HEADER = 1024 * 1024
_MAX_DIRECTORY = 64 * 1024 * 1024
_MAX_DEPTH = 64
_BROKEN = (tarfile.TarError, zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, gzip.BadGzipFile, RuntimeError,
           NotImplementedError, UnicodeError, ValueError, OverflowError)  # fmt: skip


def unpack(archive: Path, destination: Path, limits: SourceLimits, tell: Tell | None = None) -> Fetched:
    """Unpack an archive into an empty directory. One directory that holds all the rest is left out.

    Raises SourceUnavailable (`invalid_archive` or `too_large`).
    """
    writer = _Writer(destination, limits)
    with archive.open("rb") as file:
        head = file.read(6)
        file.seek(0)
        try:
            if head.startswith(b"PK"):
                _zip(file, writer)
            else:
                _tar(file, head, writer)
        except (*_BROKEN, OSError) as error:
            # bz2 says "invalid data" with an OSError that has no number; one with a number is about this machine's disk.
            if isinstance(error, OSError) and error.errno is not None:
                raise
            raise _invalid("The archive is damaged, or is no tar, tar.gz, tar.bz2, tar.xz or zip file.") from None
    if writer.files == 0:
        raise _invalid("The archive holds no files.")
    inner = _strip_single_directory(destination)
    if tell is not None:
        left_out = f", directory {inner} left out" if inner else ""
        tell(f"Unpacked {writer.files} files, {human_size(writer.size)}{left_out}.")
    return Fetched("", "", "", writer.size, writer.files)


class _Member(tarfile.TarInfo):
    """A tar entry whose long-name and extended headers are bounded: tarfile reads them whole into memory."""

    _BOUNDED = (tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE, tarfile.GNUTYPE_LONGNAME,
                tarfile.GNUTYPE_LONGLINK)  # fmt: skip

    def _proc_member(self, archive: tarfile.TarFile) -> tarfile.TarInfo | None:
        # The one hook before such a header is read; a test makes sure that it is still called.
        if self.type in self._BOUNDED and self.size > _MAX_HEADER:
            raise _invalid("The archive has a header larger than 1 MiB.")
        found: tarfile.TarInfo | None = super()._proc_member(archive)  # type: ignore[misc]
        return found


def _tar(file: IO[bytes], head: bytes, writer: _Writer) -> None:
    stream: Any = file
    if head.startswith(b"\x1f\x8b"):
        stream = gzip.GzipFile(fileobj=file)
    elif head.startswith(b"BZh"):
        stream = bz2.BZ2File(file)
    elif head.startswith(b"\xfd7zXZ"):
        stream = lzma.LZMAFile(file)
    with tarfile.open(fileobj=stream, mode="r|", tarinfo=_Member, encoding="utf-8", errors="strict") as tar:
        for entry in tar:
            # tarfile keeps every entry it saw; a million empty ones would fill the memory.
            tar.members = []  # type: ignore[attr-defined]  # not in the stubs
            if entry.isdir():
                writer.directory(entry.name)
            elif entry.isreg():
                body = tar.extractfile(entry)
                if body is not None:
                    writer.file(entry.name, body, executable=bool(entry.mode & 0o111), told=entry.size)
            elif entry.issym():
                writer.symlink(entry.name, entry.linkname)
            elif entry.islnk():
                writer.hard_link(entry.name, entry.linkname)
            else:
                raise _invalid(
                    f'"{entry.name[:200]}" is a device or pipe; archives may hold files, directories and links.'
                )


def _check_directory(file: IO[bytes], writer: _Writer) -> None:
    """Refuse a zip with too many entries before `ZipFile` makes an object of half a kilobyte of each of them."""
    # The function that ZipFile itself asks, so that both see the same directory; a test makes sure of it.
    end = zipfile._EndRecData(file)  # type: ignore[attr-defined]  # noqa: SLF001
    if end is not None:
        size, stop = end[5], end[9] - (76 if end[0] == b"PK\x06\x06" else 0)  # 76: the end's own records in a zip64
        if size > _MAX_DIRECTORY:
            raise _invalid("The archive's table of contents is larger than 64 MiB; leave out files or their comments.")
        file.seek(max(stop - size, 0))
        writer.files = file.read(size).count(b"PK\x01\x02")
        if writer.files > writer.limits.max_files:
            raise writer.too_large()
        writer.files = 0
    file.seek(0)


def _zip(file: IO[bytes], writer: _Writer) -> None:
    _check_directory(file, writer)
    with zipfile.ZipFile(file) as archive:
        for entry in archive.infolist():
            mode = entry.external_attr >> 16
            if entry.flag_bits & 0x1:
                raise _invalid("The archive is protected by a password; upload it without.")
            if entry.is_dir():
                writer.directory(entry.filename)
            elif stat.S_ISLNK(mode):
                with archive.open(entry) as body:
                    writer.symlink(entry.filename, body.read(4097).decode())
            elif stat.S_IFMT(mode) not in {0, stat.S_IFREG}:
                raise _invalid(
                    f'"{entry.filename[:200]}" is a device or pipe; archives may hold files, directories and links.'
                )
            else:
                with archive.open(entry) as body:
                    writer.file(entry.filename, body, executable=bool(mode & 0o111), told=entry.file_size)


class _Writer:
    """Writes entries below one directory and counts them."""

    def __init__(self, root: Path, limits: SourceLimits) -> None:
        self.root = root
        self.limits = limits
        self.size = 0
        self.files = 0
        self.entries = 0

    def directory(self, name: str) -> None:
        self._count()
        parts = self._parts(name)
        self._parent([*parts, ""])

    def file(self, name: str, body: IO[bytes], *, executable: bool, told: int = 0) -> None:
        """Write one file; `told` is the size that the archive claims, believed only to stop early."""
        if self.size + told > self.limits.max_bytes:
            raise self.too_large(told)
        with self._create(name, 0o755 if executable else 0o644) as out:
            while chunk := body.read(_CHUNK):
                self.size += len(chunk)
                if self.size > self.limits.max_bytes:
                    raise self.too_large()
                out.write(chunk)

    def symlink(self, name: str, target: str) -> None:
        parts = self._parts(name)
        inside = posixpath.normpath(posixpath.join(*parts[:-1], target)) if parts[:-1] else posixpath.normpath(target)
        if target.startswith("/") or inside.split("/")[0] == ".." or not target or len(target) > 4096 or "\0" in target:
            raise _invalid(f'The link "{name[:200]}" leads out of the archive; replace it by the file itself.')
        path = self._new(parts)
        path.symlink_to(target)

    def hard_link(self, name: str, target: str) -> None:
        source = self._parent(self._parts(target)) / self._parts(target)[-1]
        if not source.is_file() or source.is_symlink():
            raise _invalid(f'"{name[:200]}" links to "{target[:200]}", which is not a file before it in the archive.')
        with source.open("rb") as body:  # a copy, so that the two files have nothing to do with each other
            self.file(name, body, executable=bool(source.stat().st_mode & 0o111))

    def _create(self, name: str, mode: int) -> IO[bytes]:
        path = self._new(self._parts(name))
        return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, mode), "wb")

    def _new(self, parts: list[str]) -> Path:
        self._count()
        self.files += 1
        path = self._parent(parts) / parts[-1]
        if path.is_dir() and not path.is_symlink():
            raise _invalid(f'"{"/".join(parts)[:200]}" is a file and a directory at once.')
        path.unlink(missing_ok=True)  # a later entry takes the place of an earlier one
        return path

    def _parts(self, name: str) -> list[str]:
        clean = [part for part in name.split("/") if part not in {"", "."}]
        bad = name.startswith("/") or "\\" in name or "\0" in name or any(part == ".." for part in clean)
        if bad or len(name) > 4096 or len(clean) > _MAX_DEPTH or any(len(part.encode()) > 255 for part in clean):
            raise _invalid(f'"{name[:200]}" is not a path that may stand in an archive.')
        return clean or ["."]

    def _parent(self, parts: list[str]) -> Path:
        """Make the directories above an entry; a link among them is refused, wherever it leads."""
        path = self.root
        for part in parts[:-1]:
            path /= part
            with contextlib.suppress(FileExistsError):
                path.mkdir(mode=0o755)
            if path.is_symlink() or not path.is_dir():
                raise _invalid(f'"{"/".join(parts)[:200]}" goes through a link or a file.')
        return path

    def _count(self) -> None:
        self.entries += 1
        if self.entries > self.limits.max_files:
            raise self.too_large()

    def too_large(self, more: int = 0) -> SourceUnavailable:
        text = too_large(self.size + more, self.entries + bool(more), self.limits, at_least="at least ")
        return SourceUnavailable(Problem.TOO_LARGE, text)


def _strip_single_directory(destination: Path) -> str:
    """Move the content of a lone top directory up, as archives of code hosts have one. Returns its name."""
    found = list(destination.iterdir())
    if len(found) != 1 or found[0].is_symlink() or not found[0].is_dir():
        return ""
    name = found[0].name
    aside = destination / ".imagefactory-unpacking"
    if (found[0] / aside.name).exists():
        return ""
    found[0].rename(aside)
    for child in aside.iterdir():
        child.rename(destination / child.name)
    aside.rmdir()
    return name


def _invalid(message: str) -> SourceUnavailable:
    return SourceUnavailable(Problem.INVALID_ARCHIVE, message)
