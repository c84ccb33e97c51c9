"""What a blob store promises: content in, digest out; the same content is kept once."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import IO, Protocol


class BlobTooLarge(Exception):
    """The content is larger than allowed; nothing of it was kept. The message is a sentence."""


class BlobNotFound(Exception):
    """There is no content with this digest. The message is a sentence."""


@dataclasses.dataclass(frozen=True)
class Blob:
    """Content that is kept: its sha256 digest (`sha256:<hex>`) and its size in bytes."""

    digest: str
    size: int


class BlobStore(Protocol):
    """Content by digest. Every call may be repeated and made by many threads and processes at once."""

    def put(self, chunks: Iterable[bytes], *, max_bytes: int) -> Blob:
        """Keep content. When it returns, the content survives a power cut. Raises BlobTooLarge."""
        ...

    def open(self, digest: str) -> IO[bytes]:
        """Open content for reading from its start. Raises BlobNotFound."""
        ...

    def find(self, digest: str) -> Blob | None:
        """Return what is kept under a digest, or None; also for a text that is no digest."""
        ...

    def delete(self, digest: str) -> None:
        """Forget content; no error when there is none."""
        ...
