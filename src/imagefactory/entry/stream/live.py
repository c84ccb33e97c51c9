"""Page events: a bounded ring of the latest, replayed by position, delivered where a granted topic fits."""

from __future__ import annotations

import asyncio
import collections
import itertools
import re
import secrets
from collections.abc import Callable, Iterator
from typing import Any, Final, NamedTuple

import orjson
from pydantic import BaseModel, Field

from imagefactory.entry.stream import sse
from imagefactory.entry.stream.sse import Connection

_EVENT_ID: Final = re.compile(r"[0-9]{1,19}(\.[0-9a-f]{1,16}\.[0-9]{1,19})?")
_RIGHTS: Final = ("member.", "service_account.")
_NO_CHANGE: Final = frozenset({"member.signed_in", "member.sign_in_refused"})
KEPT: Final = 10_000  # events; at most 8 kB each, mostly 300 bytes


class _Notice(BaseModel):
    id: int
    topics: frozenset[str] = Field(max_length=100)
    type: str = Field(pattern=r"^[a-z0-9_.]{1,80}$")
    data: dict[str, Any] = Field(default_factory=dict)


class _Kept(NamedTuple):
    number: int
    notice_id: int
    topics: frozenset[str]
    data: bytes


class LiveHub:
    """What was said lately, and who wants to know.

    An event's SSE id is `<notice id>.<epoch>.<position>`: positions count within an epoch, and an epoch ends
    whenever this process may have missed a notice. So a resume either gets everything that was said since,
    or a `reset`.
    """

    def __init__(self, kept: int = KEPT, forget: Callable[[], None] = lambda: None) -> None:
        """Begin an epoch with nothing in it. `forget` is called first when anyone's rights change."""
        self._ring: collections.deque[_Kept] = collections.deque(maxlen=kept)
        self._epoch = secrets.token_hex(4)
        self._last = 0  # position of the newest event
        self._newest_id = 0
        self.readers: set[Connection] = set()
        # By the topic of a person: what to call when their roles, keys or password change.
        self.rights: dict[str, set[Callable[[], None]]] = {}
        self._forget = forget

    @property
    def epoch(self) -> str:
        """Changes when events may have been missed."""
        return self._epoch

    @property
    def last(self) -> int:
        """The position of the newest event."""
        return self._last

    def missed(self) -> None:
        """Begin a new epoch: notices may have been lost."""
        self._epoch = secrets.token_hex(4)
        self._ring.clear()
        for reader in self.readers:
            reader.wake.set()

    def heard(self, payload: str) -> None:
        """Take the payload of a `live` notice. Raises ValueError when it is none."""
        notice = _Notice.model_validate(orjson.loads(payload))
        self._last += 1
        self._newest_id = max(self._newest_id, notice.id)
        body = {"id": notice.id, "type": notice.type, "data": notice.data}
        event_id = f"{notice.id}.{self._epoch}.{self._last}"
        self._ring.append(_Kept(self._last, notice.id, notice.topics, sse.event(notice.type, body, event_id)))
        if notice.type.startswith(_RIGHTS) and notice.type not in _NO_CHANGE:
            self._forget()
            for ends in [each for topic in notice.topics for each in self.rights.get(topic, ())]:
                ends()
        for reader in self.readers:
            reader.wake.set()

    def mark(self) -> str:
        """Return the id that stands for now: nothing said later will be missed after it."""
        return f"{self._newest_id}.{self._epoch}.{self._last}"

    def position(self, resume: str) -> int | None:
        """Return the position that a client is at; None when what it missed is not known any more.

        `resume` is an event id of ours, a bare notice id (the newest that a page was made with), or empty
        for now.
        """
        if not resume:
            return self._last
        if not _EVENT_ID.fullmatch(resume):
            return None
        notice_id, _, rest = resume.partition(".")
        epoch, _, position = rest.partition(".")
        oldest = self._ring[0].number if self._ring else self._last + 1
        if epoch == self._epoch and position and oldest - 1 <= int(position) <= self._last:
            return int(position)
        if rest:
            return None
        return self._after_notice(int(notice_id))

    def _after_notice(self, notice_id: int) -> int | None:
        if notice_id >= self._newest_id:
            return self._last
        known = [kept.number for kept in self._ring if kept.notice_id <= notice_id]
        if known:
            newer = (kept.number for kept in self._ring if kept.notice_id > notice_id)
            return min(newer, default=self._last + 1) - 1
        return None

    def since(self, position: int) -> Iterator[_Kept] | None:
        """Return the events behind a position; None when some of them are gone."""
        if position >= self._last:
            return iter(())
        if not self._ring or self._ring[0].number > position + 1:
            return None
        return itertools.islice(self._ring, position + 1 - self._ring[0].number, None)


async def follow(
    hub: LiveHub, reader: Connection, position: int, topics: frozenset[str], epoch: str
) -> tuple[int, str]:
    """Send everything behind `position` that the topics allow. Returns the new position and epoch."""
    events = hub.since(position) if epoch == hub.epoch else None
    if events is None:
        await reader.write(sse.event("reset", {"reason": "missed"}, hub.mark()))
        return hub.last, hub.epoch
    fitting = [kept.data for kept in events if kept.topics & topics]
    position = hub.last
    for start in range(0, len(fitting), 200):
        await reader.write(b"".join(fitting[start : start + 200]))
        await asyncio.sleep(0)
    return position, epoch
