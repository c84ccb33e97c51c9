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


def raw_chunks(execution_id: uuid.UUID) -> Iterator[bytes]:
    """Yield the log as plain text, without terminal sequences, a few thousand lines at a time."""
    after, store = 0, log_store()
    while lines := store.read(str(execution_id), after, 5000):
        after = lines[-1].number
        yield "".join(f"{SEQUENCE.sub('', line.text)}\n" for line in lines).encode()
