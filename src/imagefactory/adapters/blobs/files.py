"""Blobs as files below one directory, named by their digest."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import tempfile
from pathlib import Path
from typing import BinaryIO

from imagefactory.adapters.blobs.base import Blob, BlobNotFound, BlobTooLarge

_PIECE = 1024 * 1024
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


class FileBlobStore:
    """A blob appears whole under its name or not at all: it is written aside, synced, then renamed."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def path(self, digest: str) -> Path:
        """Return where a blob lies. Raises BlobNotFound for what is no digest."""
        if not _DIGEST.fullmatch(digest):
            raise BlobNotFound(f"{digest[:80]!r} is not a digest.")
        name = digest.removeprefix("sha256:")
        return self.directory / name[:2] / name

    def put(self, content: BinaryIO, *, max_bytes: int) -> Blob:
        self.directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        digest, size = hashlib.sha256(), 0
        fd, draft = tempfile.mkstemp(dir=self.directory, prefix=".draft-")
        try:
            with os.fdopen(fd, "wb") as out:
                while piece := content.read(_PIECE):
                    size += len(piece)
                    if size > max_bytes:
                        raise BlobTooLarge(f"The content is larger than {max_bytes} bytes.")
                    digest.update(piece)
                    out.write(piece)
                out.flush()
                os.fsync(out.fileno())
            blob = Blob(f"sha256:{digest.hexdigest()}", size)
            target = self.path(blob.digest)
            target.parent.mkdir(exist_ok=True, mode=0o700)
            os.replace(draft, target)
        except BaseException:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(draft)
            raise
        return blob

    def open(self, digest: str) -> BinaryIO:
        try:
            return self.path(digest).open("rb")
        except FileNotFoundError:
            raise BlobNotFound(f"There is no blob {digest}.") from None

    def delete(self, digest: str) -> None:
        self.path(digest).unlink(missing_ok=True)
