"""What the log viewer's tests stand on: web, the stream under granian and a proxy before both, and builds with logs."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import re
import subprocess
import threading
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from django.db import connection

from imagefactory.adapters.logs.base import Line
from imagefactory.domain.builds import queue
from imagefactory.domain.builds.queue import Claim
from imagefactory.domain.builds.services import execution
from imagefactory.domain.builds.services.submit import submit_build
from imagefactory.domain.builds.states import BuildStatus, StageStatus
from imagefactory.entry.http.logs import log_store
from tests.conftest import INLINE, World

ROOT = Path(__file__).resolve().parents[2]


def make_assets() -> None:
    """Bundle the scripts as they are now, and forget the addresses of older bundles."""
    from imagefactory.entry.web.templatetags import factory

    subprocess.run(["node", "build.mjs"], cwd=ROOT / "assets", check=True, stdout=subprocess.DEVNULL)
    factory._names.cache_clear()


class Front:
    """One origin for web and stream, as the front door makes it; its live connections can be cut and refused.

    Each request is a connection of its own. Web also gets a unix socket, on which the stream asks for grants.
    """

    def __init__(self, web: tuple[str, int], directory: Path) -> None:
        self.web = web
        self.web_socket = directory / "web.sock"
        self.stream_socket: Path | None = None
        self.refusing = False
        self.live_opened = 0
        self.requests: list[str] = []
        self._live: set[asyncio.StreamWriter] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self.port = asyncio.run_coroutine_threadsafe(self._start(), self._loop).result(10)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def _start(self) -> int:
        self._unix = await asyncio.start_unix_server(self._to_web, self.web_socket)
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return int(self._server.sockets[0].getsockname()[1])

    async def _to_web(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await _relay(reader, writer, *await asyncio.open_connection(*self.web))

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()
            return
        target = head.split(b" ", 2)[1].decode()
        self.requests.append(target)
        live = target.startswith("/live")
        if live and (self.refusing or self.stream_socket is None):
            writer.close()
            return
        upstream = (
            await asyncio.open_unix_connection(self.stream_socket) if live else await asyncio.open_connection(*self.web)
        )
        upstream[1].write(re.sub(rb"(?i)\r\nconnection: [^\r]*", b"", head)[:-2] + b"Connection: close\r\n\r\n")
        if live:
            self.live_opened += 1
            self._live.add(writer)
        await _relay(reader, writer, *upstream)
        self._live.discard(writer)

    def cut(self) -> None:
        """Drop every live connection."""

        def drop() -> None:
            for writer in list(self._live):
                writer.transport.abort()

        self._loop.call_soon_threadsafe(drop)

    def close(self) -> None:
        asyncio.run_coroutine_threadsafe(self._stop(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        self._loop.close()

    async def _stop(self) -> None:
        self._server.close()
        self._unix.close()
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _relay(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    from_there: asyncio.StreamReader,
    there: asyncio.StreamWriter,
) -> None:
    async def pipe(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, OSError):
            while data := await source.read(65_536):
                sink.write(data)
                await sink.drain()

    up = asyncio.create_task(pipe(reader, there))
    down = asyncio.create_task(pipe(from_there, writer))
    # The browser going away must end the stream, and an answer that is over must end the connection.
    try:
        await asyncio.wait({up, down}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in (up, down):
            task.cancel()
        for end in (writer, there):
            with contextlib.suppress(ConnectionError, OSError):
                end.close()


@dataclasses.dataclass
class Run:
    """A claimed build whose log the test writes."""

    number: int
    claim: Claim
    next: int = 1
    at_ms: int = dataclasses.field(default_factory=lambda: time.time_ns() // 1_000_000)

    @property
    def id(self) -> str:
        return str(self.claim.execution_id)

    def write(self, stage: str, texts: Iterable[str], stream: str = "out", step_ms: int = 10) -> None:
        lines: list[Line] = []
        for text in texts:
            lines.append(Line(self.next, self.at_ms, stage, stream, text))
            self.next += 1
            self.at_ms += step_ms
        for start in range(0, len(lines), 5000):
            log_store().append(self.id, lines[start].number, lines[start : start + 5000])
        with connection.cursor() as cursor:
            cursor.execute("select pg_notify('log', %s)", [self.id])

    def begin(self, stage: str) -> None:
        execution.set_stage(self.claim, stage, StageStatus.RUNNING, first_line=self.next)

    def end(
        self, stage: str, status: StageStatus = StageStatus.SUCCEEDED, exit_code: int = 0, message: str = ""
    ) -> None:
        execution.set_stage(self.claim, stage, status, exit_code=exit_code, last_line=self.next - 1, message=message)

    def finish(self, status: BuildStatus, message: str = "", masked: int = 0) -> None:
        failure = execution.Failure("step_failed", "build", message, line=self.next - 1) if message else None
        log_store().finish(self.id, masked=masked)
        execution.finish(self.claim, status, failure=failure, log_lines=self.next - 1, masked_values=masked)
        with connection.cursor() as cursor:
            cursor.execute("select pg_notify('log', %s)", [self.id])


def submit(world: World) -> int:
    return submit_build(world.actor("owner"), world.project.id, INLINE).number


def claimed(number: int, stages: Sequence[str] = ("fetch", "lint", "build", "publish")) -> Run:
    claim = queue.claim("w")
    assert claim is not None
    assert claim.number == number
    execution.begin(claim, list(stages))
    return Run(number, claim)


def run(world: World) -> Run:
    """Submit a build and claim it."""
    return claimed(submit(world))


def fill(made: Run, steps: Sequence[Sequence[str]], *, fail: bool = False) -> None:
    """Write a whole build: fetch, lint, and the given steps; `fail` ends it in the build stage."""
    made.begin("fetch")
    made.write("fetch", ["Source: 3 files, 0.1 MiB", "Base docker.io/library/python is sha256:1f0e"], "note", 400)
    made.end("fetch")
    made.begin("lint")
    made.write("lint", ["Dockerfile is good"], "note")
    made.end("lint")
    made.begin("build")
    for texts in steps:
        made.write("build", texts)
    if fail:
        made.end("build", StageStatus.FAILED, 1, "The step ended with status 1.")
        made.write("build", ["Failed: The step ended with status 1."], "note")
        made.finish(BuildStatus.FAILED, "The step ended with status 1.", masked=3)
        return
    made.end("build")
    made.begin("publish")
    made.write("publish", ["Pushed sha256:9c2d"], "note")
    made.end("publish")
    made.finish(BuildStatus.SUCCEEDED)


def page_url(front: Front, world: World, number: int, rest: str = "") -> str:
    return f"{front.url}/t/{world.tenant_slug}/p/{world.project.slug}/builds/{number}{rest}"


def cookie(front: Front, world: World, role: str = "owner") -> dict[str, Any]:
    """Return the session cookie of a person, for the browser."""
    from django.test import Client

    from imagefactory.domain.identity.models import User

    client = Client()
    client.force_login(User.objects.get(id=world.users[role]))
    return {"name": "session", "value": client.cookies["session"].value, "url": front.url}
