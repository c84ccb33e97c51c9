"""The world around the stream in its tests: the app as granian loads it, a web process, and viewers."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import http.client
import http.server
import json
import os
import signal
import socket
import socketserver
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

import psycopg
from psycopg.conninfo import make_conninfo

from imagefactory.adapters.logs.files import FileLogStore
from imagefactory.adapters.postgres import embedded, temporary
from imagefactory.entry.stream.app import Limits, StreamApp, create_app
from imagefactory.entry.stream.grants import HttpGrants

Answer = tuple[int, dict[str, Any]]


def _make() -> StreamApp:
    given = dict(pair.split("=") for pair in os.environ.get("STREAM_LIMITS", "").split())
    limits = Limits()
    for name, value in given.items():
        limits = dataclasses.replace(limits, **{name: type(getattr(limits, name))(float(value))})
    store = FileLogStore(Path(os.environ["STREAM_LOGS"]))
    return create_app(os.environ["STREAM_DSN"], store, HttpGrants(os.environ["STREAM_WEB"]), limits)


_app: list[StreamApp] = []


async def app(scope: Any, receive: Any, send: Any) -> None:
    if not _app:
        _app.append(_make())
    await _app[0](scope, receive, send)


class Web(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    """Answers /internal/stream-grant by a function of the path and the headers, and remembers what it was
    asked.
    """

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, path: Path) -> None:
        self.socket_path = path
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.decide: Callable[[str, Mapping[str, str]], Answer] = lambda _path, _headers: (200, {})
        super().__init__(str(path), _Handler)

    @property
    def path(self) -> Path:
        return self.socket_path

    def __enter__(self) -> Self:
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return self

    def __exit__(self, *args: object) -> None:
        self.shutdown()
        self.server_close()

    def allow(self, execution_id: str | None = None, **grant: Any) -> None:
        self.decide = lambda _path, _headers: (200, {"execution_id": execution_id, "attempt": 1, **grant})

    def refuse(self, status: int, code: str) -> None:
        body = {"error": {"code": code, "message": "No.", "details": {}, "request_id": "r"}}
        self.decide = lambda _path, _headers: (status, body)


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Web

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        assert parts.path == "/internal/stream-grant"
        asked = parse_qs(parts.query)["path"][0]
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.server.asked.append((asked, headers))
        status, body = self.server.decide(asked, headers)
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
        """Stay quiet."""


class UnixHTTPConnection(http.client.HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("stream", timeout=10)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(10)
        self.sock.connect(str(self._path))


def ask(path: Path, target: str, method: str = "GET", **headers: str) -> tuple[int, Any, dict[str, str]]:
    """Ask once, without streaming. Returns status, parsed body and headers."""
    connection = UnixHTTPConnection(path)
    try:
        connection.request(method, target, headers={k.replace("_", "-"): v for k, v in headers.items()})
        reply = connection.getresponse()
        data = reply.read()
        return reply.status, json.loads(data) if data else None, {k.lower(): v for k, v in reply.getheaders()}
    finally:
        connection.close()


@dataclasses.dataclass
class Event:
    kind: str
    id: str
    data: Any


class Viewer:
    """One client of an event stream that resumes as a browser does."""

    def __init__(self, path: Path, target: str, **headers: str) -> None:
        self._path = path
        self._target = target
        self._headers = {k.replace("_", "-"): v for k, v in headers.items()}
        self.last_id = ""
        self.pings = 0
        self.status = 0

    @contextlib.asynccontextmanager
    async def open(self) -> AsyncIterator[AsyncIterator[Event]]:
        reader, writer = await asyncio.open_unix_connection(str(self._path), limit=1 << 24)
        headers = dict(self._headers)
        if self.last_id:
            headers["last-event-id"] = self.last_id
        rows = [f"GET {self._target} HTTP/1.1", "host: x", *(f"{k}: {v}" for k, v in headers.items())]
        writer.write(("\r\n".join(rows) + "\r\n\r\n").encode())
        try:
            self.status = int((await reader.readline()).split()[1])
            while (await reader.readline()).strip():
                pass
            yield self._events(reader)
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    async def _events(self, reader: asyncio.StreamReader) -> AsyncIterator[Event]:
        buffer = b""
        while True:
            try:
                size = int(await reader.readline() or b"0", 16)
                buffer += (await reader.readexactly(size + 2))[:-2]
            except (asyncio.IncompleteReadError, ConnectionError, ValueError):
                return
            if size == 0:
                return
            *blocks, buffer = buffer.split(b"\n\n")
            for block in blocks:
                if block.startswith(b":"):
                    self.pings += 1
                    continue
                fields = dict(row.split(": ", 1) for row in block.decode().split("\n"))
                self.last_id = fields.get("id", self.last_id)
                if "event" in fields:
                    yield Event(fields["event"], fields.get("id", ""), json.loads(fields["data"]))

    async def until(self, kind: str, events: AsyncIterator[Event], seconds: float = 20) -> list[Event]:
        """Return the events up to and with the first of this kind."""
        found: list[Event] = []
        async with asyncio.timeout(seconds):
            async for event in events:
                found.append(event)
                if event.kind == kind:
                    return found
        raise AssertionError(f"the stream ended without {kind}: {[event.kind for event in found]}")


def numbers(events: list[Event]) -> list[int]:
    """Return the line numbers of all `lines` events."""
    return [line[0] for event in events if event.kind == "lines" for line in event.data]


class Database:
    """A PostgreSQL server of our own that can be stopped and started."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.conninfo = make_conninfo(embedded.embedded_url(place, "owner", "postgres"))
        self._server: subprocess.Popen[bytes] | None = None

    def say(self, channel: str, payload: str) -> None:
        with psycopg.connect(self.conninfo, autocommit=True) as connection:
            connection.execute("select pg_notify(%s, %s)", (channel, payload))

    def listeners(self) -> int:
        with psycopg.connect(self.conninfo, autocommit=True) as connection:
            row = connection.execute(
                "select count(*) from pg_stat_activity where query ilike 'listen%' and pid <> pg_backend_pid()"
            ).fetchone()
        return int(row[0]) if row else 0

    def stop(self) -> None:
        embedded.stop(self.place, seconds=10)
        if self._server is not None:
            self._server.wait(10)
            self._server = None

    def start(self) -> None:
        account = temporary.account()
        who: dict[str, Any] = {"user": account.uid, "group": account.gid, "extra_groups": []} if account else {}
        self._server = subprocess.Popen(
            embedded.argv(self.place),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd="/",
            **who,
        )
        embedded.wait_ready(self.place)


class Stream:
    """The stream process under granian; can be killed and started again."""

    def __init__(self, directory: Path, database: Database, web: Web) -> None:
        self.socket = directory / "stream.sock"
        self.logs = directory / "build-logs"
        self.store = FileLogStore(self.logs)
        self.output = directory / "stream.log"
        self.environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join(["src", "."]),
            "STREAM_DSN": database.conninfo,
            "STREAM_LOGS": str(self.logs),
            "STREAM_WEB": str(web.path),
        }
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, **limits: float) -> None:
        self.socket.unlink(missing_ok=True)
        with self.output.open("ab") as out:
            self.process = subprocess.Popen(
                [
                    str(Path(sys.executable).with_name("granian")),
                    "--interface", "asgi", "--workers", "1", "--no-ws", "--workers-kill-timeout", "2",
                    "--uds", str(self.socket), "tests.stream.stream_world:app",
                ],
                env={**self.environment, "STREAM_LIMITS": " ".join(f"{k}={v}" for k, v in limits.items())},
                stdout=out,
                stderr=out,
                start_new_session=True,
            )  # fmt: skip
        self.wait(lambda: self.health().get("listening") is True, "the stream process to listen")

    def health(self) -> dict[str, Any]:
        with contextlib.suppress(OSError, ValueError):
            status, body, _ = ask(self.socket, "/healthz")
            if status == 200:
                return dict(body)
        return {}

    def memory(self) -> int:
        """Return the resident bytes of the process and its worker."""
        assert self.process is not None
        found = 0
        for entry in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                if os.getpgid(int(entry.name)) == self.process.pid:
                    found += int((entry / "statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
        return found

    def stop(self, sign: signal.Signals = signal.SIGTERM) -> None:
        if self.process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, sign)
            self.process.wait(15)
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process = None

    def wait(self, done: Callable[[], bool], what: str, seconds: float = 20) -> None:
        until = time.monotonic() + seconds
        while not done():
            assert time.monotonic() < until, f"waited {seconds} s for {what}:\n{self.output.read_text()[-3000:]}"
            time.sleep(0.02)
