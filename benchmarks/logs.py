"""How fast logs get in, and how long a line takes from its producer to a viewer.

Real parts: files, PostgreSQL, granian on a unix socket. Producer, server, database and viewers share the
machine.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tests.stream.stream_world import Database, Stream, Viewer, Web

from benchmarks.figures import Figure, Options
from imagefactory.adapters.logs.assemble import Assembler
from imagefactory.adapters.logs.base import Line
from imagefactory.adapters.logs.files import FileLogStore
from imagefactory.adapters.logs.masking import Masker
from imagefactory.adapters.logs.notify import LogNotifier
from imagefactory.adapters.postgres import temporary

REACH = {"lines_per_s": 100_000, "p95_ms": 150}
TEXT = "#12 4.310 Get:17 stable/main amd64 libcurl4 amd64 7.88.1-10 [390 kB]"
SECONDS = 2.0


def batches(size: int) -> tuple[list[Line], Callable[[list[Line], int], list[Line]]]:
    """Return a first batch and a function that renumbers it."""
    first = [Line(n, 1_700_000_000_000, "build", "out", TEXT) for n in range(1, size + 1)]
    return first, lambda lines, start: [
        Line(n, at, stage, stream, text) for n, (_, at, stage, stream, text) in enumerate(lines, start)
    ]


def stored(batch: int, place: Path) -> float:
    """Lines per second into the store, one execution."""
    store = FileLogStore(place, 1 << 34)
    lines, renumber = batches(batch)
    run, number, spent = uuid.uuid4().hex, 1, 0.0
    while spent < SECONDS:
        lines = renumber(lines, number)
        began = time.perf_counter()
        number = store.append(run, number, lines)
        spent += time.perf_counter() - began
    assert store.count(run) == number - 1
    store.delete(run)
    return (number - 1) / spent


def whole_path(secrets: int, conninfo: str, place: Path) -> float:
    """Lines per second from a process's bytes through assembling and masking into the store, with notices."""
    store, notifier = FileLogStore(place, 1 << 34), LogNotifier(conninfo)
    assembler = Assembler(Masker([f"secret-value-{n:04d}-{uuid.uuid4().hex}" for n in range(secrets)]))
    data = (f"{TEXT}\n" * 120).encode()
    run, began = uuid.uuid4().hex, time.perf_counter()
    while time.perf_counter() - began < SECONDS:
        lines = assembler.feed("out", data, int(time.time() * 1000))
        store.append(run, lines[0].number, lines)
        notifier.touch(run)
    spent = time.perf_counter() - began
    notifier.close()
    assert store.count(run) == assembler.next_number - 1
    store.delete(run)
    return (assembler.next_number - 1) / spent


def plain(batch: int, place: Path) -> float:
    """The peer: lines appended to a file and handed to the kernel, a batch a write, fsync once at the end."""
    lines, renumber = batches(batch)
    number, spent, path = 1, 0.0, place / "peer.log"
    with path.open("wb", buffering=0) as out:
        while spent < SECONDS:
            lines = renumber(lines, number)
            began = time.perf_counter()
            text = "".join(f"{n}\t{at}\t{stage}\t{stream}\t{text}\n" for n, at, stage, stream, text in lines)
            out.write(text.encode())
            spent += time.perf_counter() - began
            number += batch
        began = time.perf_counter()
        os.fsync(out.fileno())
        spent += time.perf_counter() - began
    path.unlink()
    return (number - 1) / spent


async def delays(stream: Stream, conninfo: str, viewers: int, web: Web, seconds: float = 8.0) -> dict[str, Any]:
    """Send 500 lines a second to one execution, and measure until each viewer has parsed each line."""
    run = str(uuid.uuid4())
    web.allow(run, expires_in=15)
    found: list[float] = []
    counts: list[int] = []
    ready = asyncio.Semaphore(0)

    async def look() -> None:
        viewer, count = Viewer(stream.socket, "/live/builds/b/logs"), 0
        async with viewer.open() as events:
            async for event in events:
                if event.kind == "start":
                    ready.release()
                elif event.kind == "lines":
                    now = time.time() * 1000
                    found.extend(now - line[1] for line in event.data)
                    count += len(event.data)
                elif event.kind == "end":
                    break
        counts.append(count)

    tasks = [asyncio.create_task(look()) for _ in range(viewers)]
    for _ in tasks:
        await ready.acquire()
    # The producer is a process of its own: its time is not the viewers' time.
    code = "import benchmarks.logs as b, sys; b.produce(*sys.argv[1:])"
    producer = await asyncio.create_subprocess_exec(
        sys.executable, "-c", code, str(stream.logs), run, str(seconds),
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "STREAM_DSN": conninfo},
    )  # fmt: skip
    sent = await asyncio.gather(producer.wait(), *tasks)
    assert sent[0] == 0
    expected = stream.store.count(run)
    cuts = statistics.quantiles(found, n=100)
    return {
        "viewers": viewers,
        "lines_in": expected,
        "delivered": 100 * sum(counts) / (expected * viewers),
        "p50_ms": round(cuts[49], 1),
        "p95_ms": round(cuts[94], 1),
        "p99_ms": round(cuts[98], 1),
        "max_ms": round(max(found), 1),
    }


def produce(place: str, run: str, seconds: str) -> None:
    """Append five lines each 10 ms, stamped with the time of the append."""
    store, notifier = FileLogStore(Path(place)), LogNotifier(os.environ["STREAM_DSN"])
    number, began = 1, time.monotonic()
    while time.monotonic() - began < float(seconds):
        at = int(time.time() * 1000)
        number = store.append(run, number, [Line(n, at, "build", "out", TEXT) for n in range(number, number + 5)])
        notifier.touch(run)
        time.sleep(0.01)
    store.finish(run)
    notifier.touch(run)
    notifier.close()


def _rates(conninfo: str, place: Path, rounds: int) -> Iterator[Figure]:
    for size in (1, 100, 1000):
        ours, peer = [], []
        for _ in range(rounds):
            ours.append(stored(size, place))
            peer.append(plain(size, place))
        yield Figure(
            f"stored, batches of {size}", statistics.median(ours), "lines/s", REACH["lines_per_s"] if size > 1 else None,
            more=True, peer=statistics.median(peer), peer_name="plain append, fsync at the end",
            note="a line a call" if size == 1 else "",
        )  # fmt: skip
    for count in (0, 20):
        value = statistics.median(whole_path(count, conninfo, place) for _ in range(rounds))
        yield Figure(
            f"a process's bytes to the store, {count} secrets masked", value, "lines/s", REACH["lines_per_s"], more=True,
            note="lines cut, masked, stored, notices sent",
        )  # fmt: skip


def measure(options: Options) -> Iterator[Figure]:
    """Yield the figures; about a minute."""
    with (
        tempfile.TemporaryDirectory(prefix="iflog-") as name,
        temporary.temporary() as pg,
        Web(Path(name) / "web.sock") as web,
    ):
        place, database = Path(name), Database(pg)
        yield from _rates(database.conninfo, place, 1 if options.quick else 3)
        stream = Stream(place, database, web)
        stream.start()
        try:
            for viewers in (1, 200):
                row = asyncio.run(delays(stream, database.conninfo, viewers, web, 4.0 if options.quick else 8.0))
                who = f"producer to {viewers} viewer{'s' * (viewers > 1)}"
                yield Figure(f"{who}, p50", row["p50_ms"], "ms", note=f"{row['lines_in']:,} lines, 500 a second")
                said = f"p99 {row['p99_ms']} ms, max {row['max_ms']} ms"
                yield Figure(f"{who}, p95", row["p95_ms"], "ms", REACH["p95_ms"], note=said)
                yield Figure(f"{who}, delivered", row["delivered"], "%", note="of all lines to all viewers")
            yield Figure("memory of the stream process", stream.memory() / 1_048_576, "MiB")
        finally:
            stream.stop()
