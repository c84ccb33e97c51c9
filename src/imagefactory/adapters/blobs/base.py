"""What a blob store promises: bytes by their digest, written once, never changed."""

from __future__ import annotations

import dataclasses
from typing import BinaryIO, Protocol


class BlobTooLarge(Exception):  # noqa: N818 - reads as what happened
    """The content is larger than the caller allows; nothing was kept."""


class BlobNotFound(Exception):  # noqa: N818 - reads as what happened
    """The store has no blob with this digest."""


@dataclasses.dataclass(frozen=True)
class Blob:
    """A stored blob: `sha256:` and 64 hex digits, and its size in bytes."""

    digest: str
    size_bytes: int


class BlobStore(Protocol):
    """Content-addressed storage. Every call may be repeated, and run at once with any other."""

    def put(self, content: BinaryIO, *, max_bytes: int) -> Blob:
        """Store everything that `content` yields and return its digest; the same bytes are kept once.

        Raises BlobTooLarge past `max_bytes`.
        """
        ...

    def open(self, digest: str) -> BinaryIO:
        """Open a blob for reading from its start. Raises BlobNotFound."""
        ...

    def delete(self, digest: str) -> None:
        """Remove a blob; it need not exist."""
        ...
