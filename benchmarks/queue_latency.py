"""How long a build waits for an idle dispatcher, and until the first process of it runs."""

from __future__ import annotations

import dataclasses
import random
import threading
import time
from collections.abc import Iterator
from typing import Any

import psycopg

from benchmarks import places
from benchmarks.figures import Figure, Options, spread, spread_figures

CLAIMED_MS, RUNNING_MS = 20, 600
# It fails at its second line, so no registry is needed; what is measured is over by then.
BUILD = {
    "source": {"kind": "inline", "files": {"hello": "hi"}},
    "dockerfile": {"inline": "FROM scratch\nCOPY missing /missing\n"},
}
ENDED = ("succeeded", "failed", "cancelled")


def _one_by_one(owner: places.Team, count: int) -> list[Any]:
    """Submit builds with pauses between them; returns the (build, execution) rows."""
    from imagefactory.domain.builds.models import Build, Execution
    from imagefactory.domain.builds.services.submit import submit_build

    found = []
    for _ in range(count + 1):
        build_id = submit_build(owner.actor(), owner.project_id, BUILD).id
        ended = Build.objects.filter(id=build_id, status__in=ENDED)
        places.until(ended.exists, "a build", every=0.05)
        time.sleep(random.uniform(0.2, 0.4))  # cleaned up and idle again, at no fixed beat
        found.append((Build.objects.get(id=build_id), Execution.objects.get(build_id=build_id)))
    return found[1:]  # the first one warms connections


def _plain_waits(address: str, count: int) -> list[float]:
    """The peer: a row in a plain table, a notice, and a listener that takes it with SKIP LOCKED; milliseconds."""
    take = (
        "update bench_wait set claimed_at = clock_timestamp() where id = (select id from bench_wait "
        "where claimed_at is null order by id limit 1 for update skip locked)"
    )
    with psycopg.connect(address, autocommit=True) as asker, psycopg.connect(address, autocommit=True) as taker:
        asker.execute("create table bench_wait (id serial primary key, queued_at timestamptz, claimed_at timestamptz)")
        taker.execute("listen bench_wait")

        def serve() -> None:
            left, deadline = count, time.monotonic() + 60 + count
            while left and time.monotonic() < deadline:
                # A notice that comes while the claim runs is lost; then the next look is half a second away.
                for _notice in taker.notifies(timeout=0.5, stop_after=1):
                    pass
                while taker.execute(take).rowcount:
                    left -= 1

        listener = threading.Thread(target=serve, daemon=True)
        listener.start()
        for _ in range(count):
            asker.execute("insert into bench_wait (queued_at) values (clock_timestamp())")
            asker.execute("notify bench_wait")
            time.sleep(random.uniform(0.1, 0.2))
        listener.join()
        rows = asker.execute("select extract(epoch from claimed_at - queued_at) * 1000 from bench_wait").fetchall()
    return [float(row[0]) for row in rows]


def measure(options: Options) -> Iterator[Figure]:
    """Yield the figures."""
    with places.ground() as place:
        owner = places.team("bench")
        with places.dispatcher(place, "fake", publish=False):
            rows = _one_by_one(owner, 12 if options.quick else 60)
        waits = [(e.claimed_at - b.queued_at).total_seconds() * 1000 for b, e in rows]
        plain = spread(_plain_waits(place.owner, len(rows)))
        figures = spread_figures("queued to claimed", waits, reach=CLAIMED_MS, note="durable commits, wake by notice")
        for figure, peer in zip(figures, plain, strict=True):
            yield dataclasses.replace(figure, peer=peer, peer_name="plain table, notice, SKIP LOCKED")
        try:
            places.need_root()
        except places.NotHere as error:
            yield Figure("queued to first build process running, p95", None, "ms", reach=RUNNING_MS, note=str(error))
            return
        with places.helper(place), places.dispatcher(place, "local", publish=False) as host:
            rows = _one_by_one(owner, 6 if options.quick else 30)
            at = host.first_processes()
        starts = [(at[str(e.id)] - b.queued_at.timestamp()) * 1000 for b, e in rows]
        yield from spread_figures("queued to first build process running", starts, reach=RUNNING_MS, note="in its jail")
        spent = [(at[str(e.id)] - e.claimed_at.timestamp()) * 1000 for b, e in rows]
        yield from spread_figures("of it: claimed to first build process", spent)
