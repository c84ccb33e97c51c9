"""The log store of this process, and a whole log as text in bounded pieces."""

from __future__ import annotations

import functools
import uuid
from collections.abc import Iterator

from imagefactory.adapters.logs.base import SEQUENCE
from imagefactory.adapters.logs.files import FileLogStore
from imagefactory.kernel import env


@functools.cache
def log_store() -> FileLogStore:
    """Return the store that logs are read from."""
    settings = env.get()
    return FileLogStore(settings.data_dir / "build-logs", settings.max_log_mib * 1024 * 1024)


def raw_chunks(execution_id: uuid.UUID, after: int = 0, last: int | None = None) -> Iterator[bytes]:
    """Yield lines behind `after`, up to `last`, as plain text without terminal sequences, a few thousand at a time."""
    store = log_store()
    while lines := store.read(str(execution_id), after, 5000 if last is None else min(5000, last - after)):
        after = lines[-1].number
        yield "".join(f"{SEQUENCE.sub('', line.text)}\n" for line in lines).encode()
