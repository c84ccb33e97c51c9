"""A blob store in memory."""

from __future__ import annotations

import dataclasses
import hashlib
import io
from collections.abc import Iterable
from typing import IO

from imagefactory.adapters.blobs.base import Blob, BlobNotFound, BlobTooLarge


@dataclasses.dataclass
class FakeBlobs:
    """Keeps content in a table, to the same promises as the real store."""

    contents: dict[str, bytes] = dataclasses.field(default_factory=dict)

    def put(self, chunks: Iterable[bytes], *, max_bytes: int) -> Blob:
        data = bytearray()
        for chunk in chunks:
            data += chunk
            if len(data) > max_bytes:
                raise BlobTooLarge(f"The upload is larger than {max_bytes // 1024} KiB; make it smaller.")
        digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
        self.contents[digest] = bytes(data)
        return Blob(digest, len(data))

    def open(self, digest: str) -> IO[bytes]:
        if digest not in self.contents:
            raise BlobNotFound("The uploaded file is not there any more; upload it again.")
        return io.BytesIO(self.contents[digest])

    def find(self, digest: str) -> Blob | None:
        return Blob(digest, len(self.contents[digest])) if digest in self.contents else None

    def delete(self, digest: str) -> None:
        self.contents.pop(digest, None)
