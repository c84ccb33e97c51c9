"""Blobs as files in one directory, named by their digest."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import os
import re
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import IO

from imagefactory.adapters.blobs.base import Blob, BlobNotFound, BlobTooLarge

_DIGEST = re.compile(r"sha256:([0-9a-f]{64})")


@dataclasses.dataclass(frozen=True)
class FileBlobs:
    """A blob store on the file system below `root`."""

    root: Path

    def put(self, chunks: Iterable[bytes], *, max_bytes: int) -> Blob:
        """Write to a temporary file, then give it its name at once. Raises BlobTooLarge."""
        self.root.mkdir(parents=True, exist_ok=True, mode=0o700)
        digest, size = hashlib.sha256(), 0
        descriptor, name = tempfile.mkstemp(prefix=".part-", dir=self.root)
        part = Path(name)
        try:
            with os.fdopen(descriptor, "wb") as file:
                for chunk in chunks:
                    size += len(chunk)
                    if size > max_bytes:
                        raise BlobTooLarge(f"The upload is larger than {max_bytes // 1024} KiB; make it smaller.")
                    digest.update(chunk)
                    file.write(chunk)
                file.flush()
                os.fsync(file.fileno())
            target = self._path(f"sha256:{digest.hexdigest()}")
            target.parent.mkdir(parents=True, exist_ok=True)
            part.replace(target)
            _sync_directory(target.parent)
        finally:
            part.unlink(missing_ok=True)
        return Blob(f"sha256:{digest.hexdigest()}", size)

    def path(self, digest: str) -> Path:
        """Return the file of a blob, for programs that read files. Raises BlobNotFound."""
        if self.find(digest) is None:
            raise BlobNotFound("The uploaded file is not there any more; upload it again.")
        return self._path(digest)

    def open(self, digest: str) -> IO[bytes]:
        """Open a blob. Raises BlobNotFound."""
        try:
            return self.path(digest).open("rb")
        except FileNotFoundError:
            raise BlobNotFound("The uploaded file is not there any more; upload it again.") from None

    def find(self, digest: str) -> Blob | None:
        """Return what is kept, or None."""
        if not _DIGEST.fullmatch(digest):
            return None
        try:
            return Blob(digest, self._path(digest).stat().st_size)
        except FileNotFoundError:
            return None

    def delete(self, digest: str) -> None:
        """Delete a blob's file."""
        if _DIGEST.fullmatch(digest):
            with contextlib.suppress(FileNotFoundError):
                self._path(digest).unlink()

    def _path(self, digest: str) -> Path:
        hexadecimal = digest.removeprefix("sha256:")
        return self.root / "sha256" / hexadecimal[:2] / hexadecimal


def _sync_directory(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
