"""Live logs: one reader for each execution in this process, however many look on.

A feed keeps the last few batches, ready to send. A client that is up to date gets those; one that is new,
slow or back from a lost connection reads the store by itself until it has caught up. So nothing waits in
memory for anybody.
"""

from __future__ import annotations

import asyncio
import collections
import logging
import time
from collections.abc import Sequence
from typing import Final, NamedTuple

from imagefactory.adapters.logs.base import Line, LogError, LogState, LogStore
from imagefactory.entry.stream import sse
from imagefactory.entry.stream.sse import Connection

log = logging.getLogger(__name__)

BATCH: Final = 1000  # lines in one event
_RECENT: Final = 1_048_576  # bytes of ready batches that a feed keeps
_POLL: Final = 1.0  # seconds; a notice is a hint, looking is the truth
_READERS: Final = 8  # clients that catch up at the same moment


class _Batch(NamedTuple):
    first: int
    last: int
    data: bytes


def encode(lines: Sequence[Line]) -> bytes:
    """Return lines as one `lines` event whose id is the last number."""
    return sse.event("lines", [tuple(line) for line in lines], lines[-1].number)


class Feed:
    """The growing end of one log."""

    def __init__(self, execution_id: str, store: LogStore) -> None:
        """Nothing is read before `start`."""
        self.execution_id = execution_id
        self._store = store
        self.last = 0
        self.state = LogState()
        self.finished = False
        self.readers: set[Connection] = set()
        self.poke = asyncio.Event()
        self._recent: collections.deque[_Batch] = collections.deque()
        self._bytes = 0
        self.task: asyncio.Task[None] | None = None
        self.grew_at = time.monotonic()

    def after(self, number: int) -> bytes | None:
        """Return ready data that continues at the line behind `number`, or None when it is not kept any
        more.
        """
        if not self._recent or number < self._recent[0].first - 1:
            return None
        return next((batch.data for batch in self._recent if batch.first == number + 1), None)

    def last_of(self, number: int) -> int:
        """Return the last line's number of the batch that `after(number)` gave."""
        return next(batch.last for batch in self._recent if batch.first == number + 1)

    async def pump(self) -> None:
        """Read what is new whenever somebody says so, and tell the readers. Ends with the log."""
        begun = False
        while not self.finished:
            try:
                if not begun:
                    # What is there already each reader takes from the store; ready batches are of what comes.
                    self.last = await asyncio.to_thread(self._store.count, self.execution_id)
                    begun = True
                    self._tell()
                await self._catch_up()
            except LogError as error:
                log.warning("%s", error)
            try:
                async with asyncio.timeout(_POLL):
                    await self.poke.wait()
            except TimeoutError:
                pass
            self.poke.clear()

    async def _catch_up(self) -> None:
        state = await asyncio.to_thread(self._store.state, self.execution_id)
        while lines := await asyncio.to_thread(self._store.read, self.execution_id, self.last, BATCH):
            self._keep(_Batch(lines[0].number, lines[-1].number, encode(lines)))
            self.last = lines[-1].number
            self.grew_at = time.monotonic()
            self._tell()
        self.state = state
        if state.finished:
            self.finished = True
            self._tell()

    def _keep(self, batch: _Batch) -> None:
        self._recent.append(batch)
        self._bytes += len(batch.data)
        while self._bytes > _RECENT and len(self._recent) > 1:
            self._bytes -= len(self._recent.popleft().data)

    def _tell(self) -> None:
        for reader in self.readers:
            reader.wake.set()


class LogHub:
    """The feeds that somebody looks at."""

    def __init__(self, store: LogStore) -> None:
        """Feeds are made when the first client comes and dropped when the last one goes."""
        self._store = store
        self._feeds: dict[str, Feed] = {}
        self._reading = asyncio.Semaphore(_READERS)

    def heard(self, payload: str) -> None:
        """Take the payload of a `log` notice: execution ids with spaces between."""
        for execution_id in payload.split():
            if feed := self._feeds.get(execution_id):
                feed.poke.set()

    def look(self) -> None:
        """Look at every log that is followed: notices may have been missed."""
        for feed in self._feeds.values():
            feed.poke.set()

    def join(self, execution_id: str, reader: Connection) -> Feed:
        """Return the feed of an execution with this reader in it."""
        feed = self._feeds.get(execution_id)
        if feed is None:
            feed = self._feeds[execution_id] = Feed(execution_id, self._store)
            feed.task = asyncio.create_task(feed.pump())
        feed.readers.add(reader)
        return feed

    def leave(self, feed: Feed, reader: Connection) -> None:
        """Take a reader out; the last one takes the feed along."""
        feed.readers.discard(reader)
        if not feed.readers:
            self._feeds.pop(feed.execution_id, None)
            if feed.task is not None:
                feed.task.cancel()

    async def send_next(self, feed: Feed, reader: Connection, position: int) -> int:
        """Send what follows line `position`, if there is something. Returns the new position."""
        if position >= feed.last:
            return position
        ready = feed.after(position)
        if ready is not None:
            last = feed.last_of(position)
            await reader.write(ready)
            return last
        async with self._reading:
            lines = await asyncio.to_thread(self._store.read, feed.execution_id, position, BATCH)
            data = encode(lines) if lines else b""
        if not lines:
            return feed.last  # deleted meanwhile: there is nothing left to show
        await reader.write(data)
        return lines[-1].number
