"""How many builds a second are claimed from a long queue, beside a plain claim from a plain table.

The factory's claim is fair between tenants, keeps their caps exact and writes the execution; the peer takes the oldest
row with SKIP LOCKED and marks it. Both commit each claim and wait for the disk.
"""

from __future__ import annotations

import statistics
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg

from benchmarks import places
from benchmarks.cpu import Spent, postmaster
from benchmarks.figures import Figure, Options
from benchmarks.filling import multiply, numbered

REACH = 1500
TENANTS = 10_000
PLAIN = """
    update bench_plain set status = 'running', started_at = clock_timestamp() where id = (
        select id from bench_plain where status = 'queued' order by queued_at, id limit 1 for update skip locked)
    returning id
"""
OURS = "select * from builds_claim(%s, %s, '45 seconds')"


def _take_plain(connection: psycopg.Connection) -> Any:
    return connection.execute(PLAIN).fetchone()


def _take_ours(connection: psycopg.Connection) -> Any:
    return connection.execute(OURS, ["bench", uuid.uuid4()]).fetchone()


def _rate(
    address: str, take: Callable[[psycopg.Connection], Any], claimers: int, count: int
) -> tuple[float, list[Any]]:
    """Claim `count` rows over that many connections; returns claims a second and the ids."""
    connections = [psycopg.connect(address, autocommit=True, prepare_threshold=1) for _ in range(claimers)]
    for connection in connections:
        connection.execute("select 1")

    def work(connection: psycopg.Connection) -> list[Any]:
        return [take(connection) for _ in range(count // claimers)]

    try:
        with ThreadPoolExecutor(claimers) as pool:
            began = time.perf_counter()
            rows = [row for part in pool.map(work, connections) for row in part]
            spent = time.perf_counter() - began
    finally:
        for connection in connections:
            connection.close()
    if None in rows:
        raise RuntimeError(f"{rows.count(None)} of {len(rows)} claims found nothing, though the queue was full")
    return len(rows) / spent, [row[0] for row in rows]


def _tenants(database: psycopg.Connection, one: places.Team) -> None:
    """Make 10,000 tenants with a project each."""
    from django.apps import apps

    tenant, project = apps.get_model("identity.Tenant"), apps.get_model("projects.Project")
    multiply(database, tenant, one.tenant_id, (1, TENANTS), id=numbered("0000aaaa"), slug="'t-' || g")
    multiply(
        database, project, one.project_id, (1, TENANTS), id=numbered("0000bbbb"), tenant_id=numbered("0000aaaa")
    )  # fmt: skip


def _fill(database: psycopg.Connection, template: uuid.UUID, rows: int, tenants: int, cap: int = 1_000_000) -> None:
    """Queue `rows` builds: a third of them of one tenant, the rest spread evenly; and the same as a plain table."""
    from imagefactory.domain.builds.models import Build

    database.execute("truncate builds_tenantqueue")
    database.execute("delete from builds_execution")
    database.execute("delete from builds_build where id <> %s", [template])
    who = f"(case when mod(g, 3) = 0 then 1 else 1 + mod(g, {tenants}) end)"
    multiply(
        database, Build, template, (1, rows), id=numbered("0000cccc"), tenant_id=numbered("0000aaaa", who),
        project_id=numbered("0000bbbb", who), number="g", status="'queued'", attempts="0", idempotency_key="null",
        queued_at="now() - interval '2 days' + g * interval '10 ms'",
    )  # fmt: skip
    database.execute(
        "insert into builds_tenantqueue (tenant_id, running, max_running, ready, ready_at, turn) "
        "select tenant_id, 0, %s, true, now(), nextval('builds_turn_seq') from builds_build where status = 'queued' "
        "group by tenant_id",
        [cap],
    )
    database.execute("drop table if exists bench_plain")
    database.execute(
        "create table bench_plain as select id, tenant_id, status::text, queued_at, started_at, manifest "
        "from builds_build where status = 'queued'"
    )
    database.execute("alter table bench_plain add primary key (id)")
    database.execute("create index on bench_plain (queued_at, id) where status = 'queued'")
    for table in ("builds_build", "builds_tenantqueue", "builds_execution", "bench_plain"):
        database.execute(f"vacuum analyze {table}")


def _doubled(database: psycopg.Connection, taken: list[Any]) -> int:
    """Return how many claims took a build that was taken before; asks the table too."""
    row = database.execute("select count(*), count(distinct build_id) from builds_execution").fetchone()
    assert row is not None
    assert row[0] == len(taken), f"{len(taken)} claims were answered, {row[0]} executions are there"
    return len(taken) - min(int(row[1]), len(set(taken)))


def _compare(
    place: places.Ground, database: psycopg.Connection, rows: int, tenants: int, *, quick: bool
) -> Iterator[Figure]:
    """Claim in turns: ours, plain, ours, ... Never so many that only the largest tenant's builds are left."""
    taken: list[Any] = []
    rounds, count = (3, 400) if quick else (5, 500 if rows <= 10_000 else 800)
    said = f"{rows:,} queued, {tenants:,} tenants"
    for claimers in (1, 4):
        ours, plain = [], []
        spent, peer = (Spent({"database": postmaster(place.server)}) for _ in range(2))
        for _ in range(rounds):
            with spent.counting():
                rate, ids = _rate(place.owner, _take_ours, claimers, count)
            ours.append(rate)
            taken += ids
            with peer.counting():
                plain.append(_rate(place.owner, _take_plain, claimers, count)[0])
        cost = f"{spent.each(rounds * count)}, peer {peer.ms['database'] / rounds / count:.2f}"
        yield Figure(
            f"{said}, {claimers} claimer{'s' * (claimers > 1)}", statistics.median(ours), "claims/s", REACH, more=True,
            peer=statistics.median(plain), peer_name="plain SKIP LOCKED", note=f"{min(ours):,.0f} to {max(ours):,.0f}; {cost}",
        )  # fmt: skip
    yield Figure(f"{said}, claimed twice", _doubled(database, taken), "builds", note=f"of {len(taken):,}")


def _alone(place: places.Ground, *, quick: bool) -> Iterator[Figure]:
    """Four claimers and one tenant: a claimer that meets the locked row is told that there is nothing."""
    empty: list[int] = []

    def insist(connection: psycopg.Connection) -> Any:
        while (row := _take_ours(connection)) is None:
            empty.append(1)
        return row

    count = 400 if quick else 2000
    rate, _ = _rate(place.owner, insist, 4, count)
    yield Figure("10,000 queued, 1 tenant, 4 claimers that insist", rate, "claims/s", REACH, more=True)
    note = "each would make a dispatcher host wait for its next notice or tick"
    yield Figure("of it: answers that found nothing", 100 * len(empty) / (len(empty) + count), "%", note=note)


def _through_the_product(database: psycopg.Connection, *, quick: bool) -> Iterator[Figure]:
    """Claim and finish as the dispatcher does it: with events, notices and caps of 4, on one connection."""
    from imagefactory.domain.builds import queue
    from imagefactory.domain.builds.services import execution
    from imagefactory.domain.builds.states import BuildStatus

    spent = {"claim": 0.0, "finish": 0.0}
    count = 100 if quick else 500
    for _ in range(count):
        began = time.perf_counter()
        claim = queue.claim("bench")
        spent["claim"] += time.perf_counter() - began
        assert claim is not None
        execution.begin(claim, ["build"])
        began = time.perf_counter()
        execution.finish(claim, BuildStatus.SUCCEEDED)
        spent["finish"] += time.perf_counter() - began
    note = "one dispatcher thread; event, commit and two notices"
    yield Figure("queue.claim() of the dispatcher", count / spent["claim"], "claims/s", note=note)
    yield Figure("execution.finish() of the dispatcher", count / spent["finish"], "builds/s", note=note)
    row = database.execute("select count(*) from builds_tenantqueue where running <> 0").fetchone()
    assert row == (0,)


def measure(options: Options) -> Iterator[Figure]:
    """Yield the figures."""
    from benchmarks.queue_latency import BUILD

    with places.ground() as place, psycopg.connect(place.owner, autocommit=True) as database:
        from imagefactory.domain.builds.services.submit import submit_build

        one = places.team("bench")
        template = submit_build(one.actor(), one.project_id, BUILD, start=False).id
        _tenants(database, one)
        sizes = [(10_000, 200), (100_000, 200), (100_000, TENANTS)] + [(1_000_000, 200)] * options.large
        for rows, tenants in sizes:
            _fill(database, template, rows, tenants)
            yield from _compare(place, database, rows, tenants, quick=options.quick)
        _fill(database, template, 10_000, 1)
        yield from _alone(place, quick=options.quick)
        _fill(database, template, 10_000, 200, cap=4)
        yield from _through_the_product(database, quick=options.quick)
