"""A whole factory as people start it, `imagefactory up` on an empty directory, and clients of its front door."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from unittest import mock

import httpx

from benchmarks import places
from benchmarks.cpu import Spent
from imagefactory.adapters.postgres import embedded

_SOURCE = Path(__file__).resolve().parents[1] / "src"


class Factory:
    """One factory: its directory, its port, its command line."""

    def __init__(self, **settings: str) -> None:
        self.data, self.port = Path(tempfile.mkdtemp(prefix="f-")), places.free_port()
        self.data.chmod(0o711)
        self.url = f"http://127.0.0.1:{self.port}"
        self.settings = {
            "IMAGEFACTORY_DATA_DIR": str(self.data), "IMAGEFACTORY_PUBLIC_URL": self.url,
            "IMAGEFACTORY_LOG_LEVEL": "warning", **settings,
        }  # fmt: skip

    def run(self, *arguments: str) -> str:
        """Run a command to its end and return what it said. Raises RuntimeError when it failed."""
        environment = {"PATH": os.environ["PATH"], "HOME": str(self.data), "COLUMNS": "200"}
        environment |= {"PYTHONPATH": str(_SOURCE), **self.settings}
        command = [sys.executable, "-m", "imagefactory.entry.cli.main", *arguments]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=240)
        if done.returncode:
            raise RuntimeError(f"imagefactory {' '.join(arguments)}: {done.stdout[-500:]}{done.stderr[-1500:]}")
        return done.stdout

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """Keep it up until the block ends."""
        try:
            self.run("up")
            yield
        finally:
            self.run("down")

    def pids(self) -> dict[str, int]:
        """Return the factory's processes that run."""
        rows = [line.split() for line in self.run("status").splitlines()]
        return {row[0]: int(row[2]) for row in rows if len(row) > 2 and row[1] == "running" and row[2].isdigit()}

    def page(self, path: str = "/login") -> bool:
        """Whether a page comes through the front door."""
        with contextlib.suppress(httpx.HTTPError):
            return httpx.get(f"{self.url}{path}", timeout=10, trust_env=False).status_code == 200
        return False

    def up(self) -> tuple[float, float, str]:
        """Start it; returns seconds to the first page, seconds until `up` returned, and what it said."""
        began, seen = time.monotonic(), list[float]()
        stop = threading.Event()

        def watch() -> None:
            while not stop.is_set():
                if self.page():
                    seen.append(time.monotonic() - began)
                    return
                stop.wait(0.02)

        watcher = threading.Thread(target=watch)
        watcher.start()
        try:
            said = self.run("up")
            returned = time.monotonic() - began
            watcher.join(60)
        finally:
            stop.set()
            watcher.join()
        return seen[0], returned, said

    def django(self) -> None:
        """Set Django up in this process, on the factory's own database and keys. Once in a process."""
        os.environ |= {
            **self.settings,
            "DJANGO_SETTINGS_MODULE": "imagefactory.settings.django",
            "IMAGEFACTORY_PROCESS": "command",
        }
        import django

        django.setup()

    @property
    def owner(self) -> str:
        """The address of the tables' owner, for filling them."""
        return embedded.embedded_url(self.data, "owner")

    def hand_over(self, path: Path) -> None:
        """Give what this process wrote below `path` to the user that the factory's processes run as."""
        if os.geteuid() == 0:
            of = (self.data / "secrets" / "django.key").stat()
            for each in (path, *path.rglob("*")):
                os.chown(each, of.st_uid, of.st_gid)


@contextlib.contextmanager
def connected(role: str) -> Iterator[None]:
    """Let this process's connection be this role's; `system` is also told no scope, as before there was a wall."""
    from django.db import connection

    from imagefactory.kernel.database.base import DatabaseWrapper

    before = connection.settings_dict["USER"]
    connection.close()
    connection.settings_dict["USER"] = role
    untold = mock.patch.object(DatabaseWrapper, "_tell", return_value=None)
    try:
        with contextlib.nullcontext() if role == "app" else untold:
            yield
    finally:
        connection.close()
        connection.settings_dict["USER"] = before


@dataclasses.dataclass
class Load:
    """What `clients` got: answers a second, each one's milliseconds, and what an answer cost the servers."""

    per_second: float
    milliseconds: list[float]
    cost: str = ""


async def _answer(reader: asyncio.StreamReader) -> int:
    """Read one HTTP/1.1 answer whole; returns its status."""
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    if b"\r\ncontent-length:" in head:
        await reader.readexactly(int(head.split(b"\r\ncontent-length:", 1)[1].split(b"\r\n", 1)[0]))
    elif b"\r\ntransfer-encoding: chunked" in head:
        while size := int(await reader.readline(), 16):
            await reader.readexactly(size + 2)
        await reader.readline()
    return int(head.split(b" ", 2)[1])


async def _clients(port: int, path: str, headers: dict[str, str], count: int, seconds: float) -> Load:
    lines = [f"GET {path} HTTP/1.1", f"Host: 127.0.0.1:{port}", *(f"{k}: {v}" for k, v in headers.items())]
    request = ("\r\n".join(lines) + "\r\n\r\n").encode()
    found: list[float] = []
    end = time.perf_counter() + seconds

    async def work() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 22)
        try:
            while (began := time.perf_counter()) < end:
                writer.write(request)
                status = await _answer(reader)
                if status != 200:
                    raise RuntimeError(f"{path} answered {status}")
                found.append((time.perf_counter() - began) * 1000)
        finally:
            writer.close()

    began = time.perf_counter()
    await asyncio.gather(*(work() for _ in range(count)))
    return Load(len(found) / (time.perf_counter() - began), found)


def clients(port: int, path: str, headers: dict[str, str], *, count: int = 8, seconds: float = 3.0) -> Load:
    """Ask for a page over kept connections, as fast as `count` clients can."""
    return asyncio.run(_clients(port, path, headers, count, seconds))


def in_turns(factory: Factory, asked: Sequence[tuple[str, dict[str, str]]], rounds: int, seconds: float) -> list[Load]:
    """Ask for each in turn, `rounds` times; returns the median rate and all times of each."""
    got: list[list[Load]] = [[] for _ in asked]
    port, pids = factory.port, {name: pid for name, pid in factory.pids().items() if name in {"web", "postgres"}}
    spent = [Spent(pids) for _ in asked]
    for path, headers in asked:
        clients(port, path, headers, count=4, seconds=0.5)  # every worker has loaded what it needs
    for _ in range(rounds):
        for place, (path, headers) in enumerate(asked):
            with spent[place].counting():
                got[place].append(clients(port, path, headers, seconds=seconds))
    found = []
    for place, each in enumerate(got):
        times = [ms for one in each for ms in one.milliseconds]
        rate = sorted(one.per_second for one in each)[rounds // 2]
        found.append(Load(rate, times, spent[place].each(len(times))))
    return found


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


def answer(reply: httpx.Response) -> Any:
    """Return the JSON of an answer. Raises RuntimeError with its text when it is a refusal."""
    if reply.status_code >= 400:
        raise RuntimeError(f"{reply.request.url.path} answered {reply.status_code}: {reply.text[:500]}")
    return reply.json()
