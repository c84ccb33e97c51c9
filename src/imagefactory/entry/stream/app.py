"""The stream process: a plain ASGI app that sends live logs and page events, and the only LISTENer of the
factory.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import logging
import random
import re
import secrets
import time
from typing import Final, Literal

import orjson

from imagefactory.adapters.logs.base import LogError, LogStore
from imagefactory.entry.stream import live, sse
from imagefactory.entry.stream.grants import Ask, Grant, Grants, GrantsUnavailable, Refusal
from imagefactory.entry.stream.listen import Listener
from imagefactory.entry.stream.live import LiveHub
from imagefactory.entry.stream.logs import Feed, LogHub
from imagefactory.entry.stream.sse import Connection, Gone, Receive, Request, Scope, Send

log = logging.getLogger(__name__)

_LOGS: Final = re.compile(r"/(?:api/v1/builds/[\w-]{1,64}/logs/stream|live/builds/[\w-]{1,64}/logs)")
_REQUEST_ID: Final = re.compile(r"[\w.:-]{1,64}")
_NEVER: Final = 3600.0


@dataclasses.dataclass(frozen=True)
class Limits:
    """Bounds of one stream process. Times are in seconds."""

    connections: int = 2000
    per_credentials: int = 500
    heartbeat: float = sse.HEARTBEAT
    without_web: float = 60.0  # how long an open stream outlives a web process that does not answer
    # a log whose execution is over and that nobody finished ends after this time without lines
    quiet: float = 3.0
    waiting: float = 2.0  # how often a build without an execution is asked for again


class StreamApp:
    """The ASGI application. Made by `create_app`."""

    def __init__(self, conninfo: str, store: LogStore, grants: Grants, limits: Limits) -> None:
        """Nothing is opened before the ASGI lifespan starts."""
        self._grants = grants
        self._limits = limits
        self._store = store
        self._conninfo = conninfo
        self._open = 0
        self._by_who: dict[str, int] = {}
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Start listening; the database need not be there yet."""
        self.logs = LogHub(self._store)
        self.live = LiveHub(forget=self._grants.forget)
        self.listener = Listener(self._conninfo, self.logs.heard, self.live.heard, self._back)
        self._task = asyncio.create_task(self.listener.run())

    async def stop(self) -> None:
        """Stop listening; open streams end with the process."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        await self._grants.close()

    def _back(self) -> None:
        self.logs.look()
        self.live.missed()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
        elif scope["type"] == "http":
            await self._http(Request(scope), receive, send)
        else:
            await send({"type": "websocket.close", "code": 1000})

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                await self.start()
                await send({"type": "lifespan.startup.complete"})
            else:
                await self.stop()
                await send({"type": "lifespan.shutdown.complete"})
                return

    async def _http(self, request: Request, receive: Receive, send: Send) -> None:
        given = request.header("x-request-id")
        request_id = given if _REQUEST_ID.fullmatch(given) else secrets.token_hex(8)
        if request.path == "/healthz":
            body = {"listening": self.listener.listening.is_set(), "connections": self._open}
            await sse.answer(send, 200, body)
            return
        kind: Literal["logs", "live"] | None = None
        if _LOGS.fullmatch(request.path):
            kind = "logs"
        elif request.path in {"/live", "/live/"}:
            kind = "live"
        if kind is None:
            await sse.refuse(send, 404, "not_found", "There is no such event stream. Check the address.", request_id)
        elif request.method != "GET":
            text = f"An event stream is read with GET, not {request.method[:16]}."
            await sse.refuse(send, 405, "method_not_allowed", text, request_id, {"allow": "GET"})
        else:
            await self._admit(kind, request, request_id, receive, send)

    async def _admit(
        self, kind: Literal["logs", "live"], request: Request, request_id: str, receive: Receive, send: Send
    ) -> None:
        ask = Ask.of(request, request_id)
        who = ask.who
        if self._open >= self._limits.connections or self._by_who.get(who, 0) >= self._limits.per_credentials:
            text = "Too many live views are open. Close one, or try again later; pages work without."
            later = {"retry-after": str(5 + secrets.randbelow(10))}
            await sse.refuse(send, 503, "unavailable", text, request_id, later)
            return
        self._open += 1
        self._by_who[who] = self._by_who.get(who, 0) + 1
        try:
            await self._granted(kind, request, ask, receive, send)
        finally:
            self._open -= 1
            self._by_who[who] -= 1
            if not self._by_who[who]:
                del self._by_who[who]

    async def _granted(
        self, kind: Literal["logs", "live"], request: Request, ask: Ask, receive: Receive, send: Send
    ) -> None:
        try:
            grant = await self._grants.ask(ask)
        except GrantsUnavailable as error:
            await sse.refuse(send, 503, "unavailable", str(error), ask.request_id, {"retry-after": "2"})
            return
        if isinstance(grant, Refusal):
            await sse.answer(send, grant.status, None, raw=grant.body, headers=dict(grant.headers))
            return
        connection = Connection(receive, send, self._limits.heartbeat)
        lease = Lease(self._grants, ask, grant, self._limits, connection.wake)
        concerned = self.live.rights.setdefault(grant.person, set()) if grant.person else set()
        concerned.add(lease.end)
        try:
            await connection.open(ask.request_id)
            if kind == "logs":
                await self._send_log(request, connection, lease)
            else:
                await self._send_live(request, connection, lease)
        except Gone:
            pass
        except Denied as denied:
            with contextlib.suppress(Gone):
                await connection.write(sse.event("denied", denied.data))
        except LogError as error:
            log.warning("%s", error)
        finally:
            concerned.discard(lease.end)
            if grant.person and not concerned:
                self.live.rights.pop(grant.person, None)
            await connection.close()

    async def _send_log(self, request: Request, connection: Connection, lease: Lease) -> None:
        position = int(request.resume) if request.resume.isdecimal() and len(request.resume) < 16 else 0
        execution_id = await self._execution(connection, lease)
        if execution_id is None:  # cancelled before it ran
            end = {"lines": 0, "complete": True, "truncated": False, "masked": 0}
            await connection.write(sse.event("end", end))
            return
        feed = self.logs.join(execution_id, connection)
        try:
            start = {"execution_id": execution_id, "attempt": lease.grant.attempt}
            await connection.write(sse.event("start", start))
            while True:
                await lease.keep()
                before = position
                position = await self.logs.send_next(feed, connection, position)
                if position != before:
                    continue
                if self._at_end(feed, lease.grant, position):
                    await connection.write(sse.event("end", self._end(feed)))
                    return
                await connection.wait(min(self._limits.heartbeat, lease.left))
        finally:
            self.logs.leave(feed, connection)

    def _at_end(self, feed: Feed, grant: Grant, position: int) -> bool:
        if position < feed.last:
            return False
        quiet = time.monotonic() - feed.grew_at > self._limits.quiet
        return feed.finished or (grant.finished and quiet)

    @staticmethod
    def _end(feed: Feed) -> dict[str, object]:
        state = feed.state
        return {
            "lines": feed.last,
            "complete": feed.finished,
            "truncated": state.truncated,
            "masked": state.masked,
        }

    async def _execution(self, connection: Connection, lease: Lease) -> str | None:
        """Return the execution to follow, waiting for one where the build has none yet."""
        if lease.grant.execution_id is None:
            await connection.write(sse.event("waiting", {}))
        self.live.readers.add(connection)  # any news of this build may be its start
        try:
            position = self.live.last
            while lease.grant.execution_id is None and not lease.grant.finished:
                woken = await connection.wait(min(self._limits.waiting, self._limits.heartbeat))
                events = self.live.since(position)
                position = self.live.last
                news = events is None or any(e.topics & lease.grant.topics for e in events)
                if news or not woken:
                    await lease.renew(fresh=news)
                else:
                    await lease.keep()
        finally:
            self.live.readers.discard(connection)
        return lease.grant.execution_id

    async def _send_live(self, request: Request, connection: Connection, lease: Lease) -> None:
        hub = self.live
        hub.readers.add(connection)
        try:
            position, epoch = hub.position(request.resume), hub.epoch
            if position is None:
                await connection.write(sse.event("reset", {"reason": "too_old"}, hub.mark()))
                position = hub.last
            elif position == hub.last:
                await connection.write(sse.event("hello", {}, hub.mark()))
            held = lease.grant.topics
            while True:
                await lease.keep()
                if held - lease.grant.topics:
                    # Some of what the page shows may not be seen any more: it reads itself again, and finds out.
                    await connection.write(sse.event("reset", {"reason": "rights"}, hub.mark()))
                held = lease.grant.topics
                position, epoch = await live.follow(hub, connection, position, lease.grant.topics, epoch)
                if position == hub.last and epoch == hub.epoch:
                    await connection.wait(min(self._limits.heartbeat, lease.left))
        finally:
            hub.readers.discard(connection)


class Denied(Exception):
    """Web took the right back while the stream was open."""

    def __init__(self, refusal: Refusal) -> None:
        """Keep code and message of web's answer."""
        super().__init__("denied")
        try:
            error = orjson.loads(refusal.body)["error"]
            self.data = {"code": str(error["code"]), "message": str(error["message"])}
        except (orjson.JSONDecodeError, KeyError, TypeError):
            self.data = {"code": "permission_denied", "message": "You may not see this any more."}


class Lease:
    """A grant that is asked for again before it runs out, and at once when its holder's rights change."""

    def __init__(self, grants: Grants, ask: Ask, grant: Grant, limits: Limits, wake: asyncio.Event) -> None:
        """Begin with the grant that opened the stream; `wake` is set when it ended early."""
        self._grants = grants
        self._ask = ask
        self._limits = limits
        self._answered = time.monotonic()
        self._until = 0.0
        self._wake = wake
        self._ended = False
        self.grant = grant
        self._hold(grant)

    def _hold(self, grant: Grant) -> None:
        # The spread keeps a thousand streams that began together from asking together for ever after.
        share = random.uniform(0.8, 1.0)  # noqa: S311 - jitter
        self.grant = grant
        self._answered = time.monotonic()
        self._until = self._answered + grant.expires_in * share

    @property
    def left(self) -> float:
        """Seconds until web must be asked again."""
        return max(self._until - time.monotonic(), 0.01)

    async def keep(self) -> None:
        """Ask again when it is time. Raises Denied, and Gone when web has been away for too long."""
        if self._ended or time.monotonic() >= self._until:
            fresh, self._ended = self._ended, False
            await self.renew(fresh=fresh)

    def end(self) -> None:
        """Have the grant asked for again before anything more is sent: what it allowed may not hold any more."""
        self._ended = True
        self._wake.set()

    async def renew(self, *, fresh: bool = False) -> None:
        """Ask again now. Raises Denied and Gone."""
        try:
            answer = await self._grants.ask(self._ask, fresh=fresh)
        except GrantsUnavailable:
            if time.monotonic() - self._answered > self._limits.without_web:
                raise Gone from None  # the client comes back by itself and resumes
            self._until = time.monotonic() + 1.0
            return
        if isinstance(answer, Refusal):
            raise Denied(answer)
        kept = self.grant.execution_id
        self._hold(answer.model_copy(update={"execution_id": kept}) if kept else answer)


def create_app(conninfo: str, log_store: LogStore, grants: Grants, limits: Limits | None = None) -> StreamApp:
    """Return the ASGI application for a database, a log store and a judge of rights."""
    return StreamApp(conninfo, log_store, grants, limits or Limits())


def from_settings() -> StreamApp:
    """Return the application that the settings describe. Raises SettingsError."""
    from imagefactory.adapters.logs.files import FileLogStore
    from imagefactory.entry.stream.grants import HttpGrants
    from imagefactory.kernel import env, pg, telemetry

    settings = env.get()
    telemetry.configure(settings.log_level, "stream")
    store = FileLogStore(settings.data_dir / "build-logs", settings.max_log_mib * 1_048_576)
    return create_app(pg.conninfo(), store, HttpGrants(str(settings.run_dir / "web.sock")))


_made: list[StreamApp] = []


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    """Serve as the process's application; it is made when the server starts it, not at import."""
    if not _made:
        _made.append(from_settings())
    await _made[0](scope, receive, send)
