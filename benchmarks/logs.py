"""How fast logs get in, and how long a line takes from its producer to a viewer.

Run it with `PYTHONPATH=src python -m benchmarks.logs [--json]`; it takes 40 seconds.

Real parts: files, PostgreSQL, granian on a unix socket. Producer, server, database and viewers share the
machine.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import sys
import tempfile
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.stream.stream_world import Database, Stream, Viewer, Web

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


def logger(place: Path) -> float:
    """The peer: `logging` of the standard library into a file, the plainest way to keep numbered lines."""
    import logging

    handler = logging.FileHandler(place / "peer.log")
    handler.setFormatter(logging.Formatter("%(created)d\tbuild\tout\t%(message)s"))
    peer = logging.getLogger("benchmark.peer")
    peer.setLevel(logging.INFO)
    peer.propagate = False
    peer.addHandler(handler)
    count, began = 0, time.perf_counter()
    while time.perf_counter() - began < SECONDS:
        for _ in range(100):
            peer.info(TEXT)
        count += 100
    handler.close()
    return count / (time.perf_counter() - began)


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
        "delivered": f"{sum(counts) / (expected * viewers):.2%}",
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


def measure() -> dict[str, Any]:
    """Run everything once; about 40 seconds."""
    with (
        tempfile.TemporaryDirectory(prefix="iflog-") as name,
        temporary.temporary() as pg,
        Web(Path(name) / "web.sock") as web,
    ):
        place, database = Path(name), Database(pg)
        result: dict[str, Any] = {
            "stored_lines_per_s": {f"batches of {size}": round(stored(size, place)) for size in (1, 10, 100, 1000)},
            "whole_path_lines_per_s": {
                f"{count} secrets": round(whole_path(count, database.conninfo, place)) for count in (0, 3, 20)
            },
            "peer_logging_lines_per_s": round(logger(place)),
        }
        stream = Stream(place, database, web)
        stream.start()
        try:
            result["delay"] = [asyncio.run(delays(stream, database.conninfo, viewers, web)) for viewers in (1, 200)]
            result["stream_memory_mib"] = round(stream.memory() / 1_048_576)
        finally:
            stream.stop()
    return result


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of a table")
    arguments = parser.parse_args()
    result = measure()
    if arguments.json:
        print(json.dumps(result))
        return 0
    for kind in ("stored_lines_per_s", "whole_path_lines_per_s"):
        for name, value in result[kind].items():
            print(f"{kind.replace('_', ' '):28} {name:18} {value:>12,}   (reach {REACH['lines_per_s']:,})")
    print(f"{'peer: logging, lines per s':47} {result['peer_logging_lines_per_s']:>12,}")
    for row in result["delay"]:
        times = "  ".join(f"{key[:-3]} {row[key]:7.1f} ms" for key in ("p50_ms", "p95_ms", "p99_ms", "max_ms"))
        print(f"producer to {row['viewers']:3} viewers, {row['delivered']} of {row['lines_in']} lines:")
        print(f"  {times}   (reach p95 < {REACH['p95_ms']} ms)")
    print(f"memory of the stream process: {result['stream_memory_mib']} MiB")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
