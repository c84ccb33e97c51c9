"""Server-sent events over plain ASGI: how they are written, and the connection that they go out on.

Format: WHATWG HTML, "Server-sent events". A connection holds no queue: a slow client holds up its own sender
only.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any, Final
from urllib.parse import parse_qs

import orjson

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

HEARTBEAT: Final = 15.0  # seconds; proxies cut connections that are idle for 30 to 60
_STUCK: Final = 60.0  # seconds that one write may take before the client is given up
_PING: Final = b": ping\n\n"


def event(kind: str, data: object, event_id: str | int | None = None) -> bytes:
    """Return one event as bytes; `data` becomes one line of JSON."""
    head = b"" if event_id is None else b"id: %s\n" % str(event_id).encode()
    return b"%sevent: %s\ndata: %s\n\n" % (head, kind.encode(), orjson.dumps(data))


class Gone(Exception):
    """The client is not there any more, or does not read."""


class Request:
    """What the stream needs of a request."""

    def __init__(self, scope: Scope) -> None:
        """Read method, path, query and headers of an ASGI HTTP scope."""
        self.method = str(scope["method"])
        self.path = str(scope["path"])
        self.query = parse_qs(scope.get("query_string", b"").decode("latin-1"), keep_blank_values=True)
        self._headers: dict[str, str] = {}
        for name, value in scope["headers"]:
            key = bytes(name).decode("latin-1").lower()
            joined = self._headers.get(key)
            text = bytes(value).decode("latin-1")
            between = "; " if key == "cookie" else ", "
            self._headers[key] = text if joined is None else f"{joined}{between}{text}"

    def header(self, name: str) -> str:
        """Return a header's value, or an empty text."""
        return self._headers.get(name, "")

    def one(self, name: str) -> str:
        """Return the last value of a query parameter, or an empty text."""
        values = self.query.get(name)
        return values[-1] if values else ""

    @property
    def resume(self) -> str:
        """Where the client was: the id of its last event, or `after` of the query (a browser's first
        request).
        """
        return self.header("last-event-id") or self.one("after")


class Connection:
    """One open event stream: writes, beats, and notices when the client leaves."""

    def __init__(self, receive: Receive, send: Send, heartbeat: float = HEARTBEAT) -> None:
        """Take the two ends of an ASGI request; nothing is sent yet."""
        self._receive = receive
        self._send = send
        self._heartbeat = heartbeat
        self._left: asyncio.Task[None] | None = None
        self._wrote_at = time.monotonic()
        self.wake = asyncio.Event()

    async def open(self, request_id: str) -> None:
        """Send the head of the answer."""
        self._left = asyncio.create_task(self._watch())
        headers = [
            (b"content-type", b"text/event-stream; charset=utf-8"),
            (b"cache-control", b"no-store"),
            (b"x-accel-buffering", b"no"),
            (b"x-request-id", request_id.encode("latin-1", "replace")),
        ]
        await self._send({"type": "http.response.start", "status": 200, "headers": headers})
        await self.write(b"retry: 2000\n\n")

    async def _watch(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self.wake.set()

    async def write(self, data: bytes) -> None:
        """Send bytes, waiting until the server takes them. Raises Gone."""
        if self._left is None or self._left.done():
            raise Gone
        try:
            async with asyncio.timeout(_STUCK):
                await self._send({"type": "http.response.body", "body": data, "more_body": True})
            self._wrote_at = time.monotonic()
        except (TimeoutError, OSError, RuntimeError) as error:
            raise Gone from error

    async def wait(self, seconds: float) -> bool:
        """Wait to be woken, at most this long; a heartbeat is sent when it is due. Raises Gone.

        Returns whether something woke it.
        """
        try:
            due = self._wrote_at + self._heartbeat - time.monotonic()
            async with asyncio.timeout(max(min(seconds, due), 0)):
                await self.wake.wait()
        except TimeoutError:
            if time.monotonic() - self._wrote_at >= self._heartbeat:
                await self.write(_PING)
            return False
        self.wake.clear()
        if self._left is None or self._left.done():
            raise Gone
        return True

    async def close(self) -> None:
        """End the answer."""
        if self._left is not None:
            if not self._left.done():
                with contextlib.suppress(Exception):
                    await self._send({"type": "http.response.body", "body": b"", "more_body": False})
            self._left.cancel()


async def answer(
    send: Send,
    status: int,
    body: object,
    *,
    headers: Mapping[str, str] | None = None,
    raw: bytes | None = None,
) -> None:
    """Send one complete JSON answer."""
    data = orjson.dumps(body) if raw is None else raw
    head = {"content-type": "application/json", "cache-control": "no-store", **(headers or {})}
    pairs = [(name.encode(), value.encode("latin-1", "replace")) for name, value in head.items()]
    pairs.append((b"content-length", str(len(data)).encode()))
    await send({"type": "http.response.start", "status": status, "headers": pairs})
    await send({"type": "http.response.body", "body": data})


async def refuse(
    send: Send,
    status: int,
    code: str,
    message: str,
    request_id: str,
    headers: Mapping[str, str] | None = None,
) -> None:
    """Send the error envelope that every door of the factory uses."""
    body = {"error": {"code": code, "message": message, "details": {}, "request_id": request_id}}
    await answer(send, status, body, headers={"x-request-id": request_id, **(headers or {})})
