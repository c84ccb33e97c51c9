"""Who may see what: the stream asks the web process, and asks again while a stream is open.

The stream knows no users and no rights. It passes the client's credentials on and gets a grant: an
execution, topics, and how long that holds. The protocol is in docs/reference/live-events.md.
"""

from __future__ import annotations

import asyncio
import collections
import dataclasses
import hashlib
import time
from collections.abc import Callable
from typing import Final, Protocol

import httpx
import orjson
from pydantic import BaseModel, Field, ValidationError

from imagefactory.entry.stream.sse import Request

PASSED: Final = ("cookie", "authorization", "x-tenant-id", "x-forwarded-for")
_ADDRESS: Final = "x-forwarded-for"  # written by the front door; a tenant may let in some networks only
KEEP: Final = 3.0  # seconds that one answer serves all who ask the same with the same credentials
_CACHED: Final = 10_000


class Grant(BaseModel):
    """What web allows for one path and one set of credentials."""

    execution_id: str | None = None
    attempt: int | None = None
    topics: frozenset[str] = Field(default_factory=frozenset, max_length=1000)
    # The topic of who asks, `user:<id>`: news of their rights end the grant at once.
    person: str | None = None
    finished: bool = False
    expires_in: float = Field(15.0, ge=0.05, le=300)


@dataclasses.dataclass(frozen=True)
class Refusal:
    """Web's own answer to one who may not: passed on as it is."""

    status: int
    body: bytes
    headers: tuple[tuple[str, str], ...] = ()


class GrantsUnavailable(Exception):
    """Web did not answer. The message is a sentence."""


@dataclasses.dataclass(frozen=True)
class Ask:
    """A question to web: path with query, and the credentials as the client sent them."""

    path: str
    credentials: tuple[tuple[str, str], ...] = dataclasses.field(repr=False)
    request_id: str = dataclasses.field(default="", compare=False)

    @property
    def who(self) -> str:
        """A hash that tells callers apart without keeping what they showed."""
        shown = [each for each in self.credentials if each[0] != _ADDRESS]
        return hashlib.sha256(repr(shown).encode()).hexdigest()

    @classmethod
    def of(cls, request: Request, request_id: str) -> Ask:
        """Build the question for a request; where the client resumes is none of web's business."""
        query = httpx.QueryParams(
            [(name, v) for name, vs in sorted(request.query.items()) if name != "after" for v in vs]
        )
        shown = tuple((name, request.header(name)) for name in PASSED if request.header(name))
        return cls(f"{request.path}?{query}" if query else request.path, shown, request_id)


class Grants(Protocol):
    """Answers questions about rights; asked by many tasks at once."""

    async def ask(self, ask: Ask, *, fresh: bool = False) -> Grant | Refusal:
        """Return web's answer, which may be KEEP seconds old unless `fresh`. Raises GrantsUnavailable."""
        ...

    def forget(self) -> None:
        """Let no answer from before now serve anyone who asks from now on: someone's rights changed."""
        ...

    async def close(self) -> None: ...


class HttpGrants:
    """Asks web over its unix socket, once for all who ask the same at the same time."""

    def __init__(self, socket: str, keep: float = KEEP) -> None:
        """Remember the socket; connections are made when needed, at most 32."""
        self._client = httpx.AsyncClient(
            transport=httpx.AsyncHTTPTransport(uds=socket, limits=httpx.Limits(max_connections=32)),
            base_url="http://web",
            timeout=httpx.Timeout(10.0),
        )
        self._keep = keep
        self._answers: collections.OrderedDict[Ask, tuple[float, asyncio.Task[Grant | Refusal]]] = (
            collections.OrderedDict()
        )

    async def ask(self, ask: Ask, *, fresh: bool = False) -> Grant | Refusal:
        at, task = self._answers.get(ask, (0.0, None))
        old = time.monotonic() - at > self._keep
        if task is None or (task.done() and (fresh or old or task.cancelled() or task.exception())):
            task = asyncio.create_task(self._fetch(ask))
            self._answers[ask] = (time.monotonic(), task)
            self._answers.move_to_end(ask)
            while len(self._answers) > _CACHED:
                self._answers.popitem(last=False)
        return await asyncio.shield(task)

    def forget(self) -> None:
        self._answers.clear()

    async def _fetch(self, ask: Ask) -> Grant | Refusal:
        headers = dict(ask.credentials)
        if ask.request_id:
            headers["x-request-id"] = ask.request_id
        try:
            reply = await self._client.get("/internal/stream-grant", params={"path": ask.path}, headers=headers)
        except httpx.HTTPError as error:
            raise GrantsUnavailable(
                "The factory's web process does not answer right now; try again in a moment."
            ) from error
        if reply.status_code in {400, 401, 403, 404, 428, 429}:
            kept = tuple((n, reply.headers[n]) for n in ("retry-after", "www-authenticate") if n in reply.headers)
            return Refusal(reply.status_code, reply.content, kept)
        try:
            if reply.status_code == 200:
                return Grant.model_validate(orjson.loads(reply.content))
        except (ValidationError, orjson.JSONDecodeError) as error:
            raise GrantsUnavailable("The factory's web process gave an answer that is no grant.") from error
        raise GrantsUnavailable("The factory's web process is in trouble right now; try again in a moment.")

    async def close(self) -> None:
        for _, task in self._answers.values():
            task.cancel()
        await self._client.aclose()


class FakeGrants:
    """Grants decided by a function; for tests and demonstrations."""

    def __init__(self, decide: Callable[[Ask], Grant | Refusal]) -> None:
        """`decide` may raise GrantsUnavailable."""
        self.decide = decide
        self.asked = 0

    async def ask(self, ask: Ask, *, fresh: bool = False) -> Grant | Refusal:
        self.asked += 1
        return self.decide(ask)

    def forget(self) -> None:
        """Nothing is kept."""

    async def close(self) -> None:
        """Nothing is held."""
