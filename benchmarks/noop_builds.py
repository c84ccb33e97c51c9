"""Builds that do nothing, through everything: submitted over HTTP, four at once, until succeeded with their log.

Twice: in a factory that `imagefactory up` started, which also pushes each image into its registry with a program of its
own; and with a dispatcher whose publish stage is empty, which is what can be compared with a CI server.
"""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import psycopg

from benchmarks import places
from benchmarks.cpu import Spent, postmaster
from benchmarks.factory import Factory, answer, bearer
from benchmarks.figures import Figure, Options, spread_figures

REACH = 20
AT_ONCE = 4
BUILD = {
    "source": {"kind": "inline", "files": {"hello": "hi"}},
    "dockerfile": {"inline": "FROM scratch\nCOPY hello /hello\n"},
}
SETTINGS = {
    "IMAGEFACTORY_EXECUTOR": "fake", "IMAGEFACTORY_WORKER_SLOTS": str(AT_ONCE),
    "IMAGEFACTORY_TENANT_SLOTS": str(AT_ONCE), "IMAGEFACTORY_BUILD_NETWORK": "none",
}  # fmt: skip
COUNT = "select count(*) from builds_build where status = 'succeeded'"
LEFT = "select count(*) from builds_build where status in ('queued', 'running')"


def _drive(database: psycopg.Connection, submit: Callable[[int], Any], count: int) -> float:
    """Submit `count` builds over four threads and return builds a second until the last one succeeded."""

    def number(query: str) -> int:
        row = database.execute(query).fetchone()
        assert row is not None
        return int(row[0])

    before, began = number(COUNT), time.perf_counter()
    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(submit, range(count)))
        places.until(lambda: number(LEFT) == 0, "the builds", seconds=180, every=0.1)
    spent = time.perf_counter() - began
    assert number(COUNT) - before == count, f"{number(COUNT) - before} of {count} builds succeeded"
    return count / spent


def _waits(database: psycopg.Connection) -> list[float]:
    rows = database.execute(
        "select extract(epoch from e.finished_at - e.claimed_at) * 1000 from builds_execution e "
        "where e.status = 'succeeded' order by e.id desc limit 500"
    )
    return [float(row[0]) for row in rows]


def _stages(database: psycopg.Connection) -> str:
    rows = database.execute(
        "select name, percentile_cont(0.5) within group (order by extract(epoch from finished_at - started_at) * 1000) "
        "from builds_stage where finished_at is not null group by name, position order by position"
    )
    return ", ".join(f"{name} {ms:.0f}" for name, ms in rows)


def _log_is_there(client: httpx.Client) -> None:
    newest = answer(client.get("/api/v1/builds", params={"limit": 1}))["items"][0]
    found = answer(client.get(f"/api/v1/builds/{newest['id']}/logs"))
    assert found["finished"], "the newest build's log is not complete"
    assert found["lines"], "the newest build has no log"


def _whole(count: int) -> Iterator[Figure]:
    factory = Factory(**SETTINGS)
    with factory.running(), httpx.Client(base_url=factory.url, timeout=60, trust_env=False) as client:
        person = {"name": "Bench", "email": "bench@example.com", "password": places.PASSWORD}
        made = client.post("/api/v1/auth/signup", json={**person, "tenant_name": "Bench", "tenant_slug": "bench"})
        client.headers.update(bearer(answer(made)["access_token"]))
        answer(client.post("/api/v1/projects", json={"name": "Noop", "slug": "noop"}))

        def submit(_: int) -> None:
            headers = {"Idempotency-Key": uuid.uuid4().hex}
            answer(client.post("/api/v1/builds", json={"project": "noop", "manifest": BUILD}, headers=headers))

        with psycopg.connect(factory.owner, autocommit=True) as database:
            _drive(database, submit, AT_ONCE * 2)
            spent = Spent(factory.pids())
            with spent.counting():
                rate = _drive(database, submit, count)
            note = f"{_stages(database)}; {spent.each(count)}"
            yield Figure("submit over HTTP to succeeded, image pushed", rate, "builds/s", REACH, more=True, note=note)
            yield from spread_figures("of it: claimed to succeeded", _waits(database))
        _log_is_there(client)


def _without_push(count: int) -> Iterator[Figure]:
    with places.ground(**SETTINGS) as place, psycopg.connect(place.owner, autocommit=True) as database:
        from imagefactory.domain.builds.services.submit import submit_build

        owner = places.team("bench")
        actor = owner.actor()

        def submit(_: int) -> None:
            submit_build(actor, owner.project_id, BUILD)

        with places.dispatcher(place, "fake", publish=False, slots=AT_ONCE) as host:
            _drive(database, submit, AT_ONCE * 2)
            spent = Spent({"dispatcher": host.pid, "database": postmaster(place.server), "submitter": os.getpid()})
            with spent.counting():
                rate = _drive(database, submit, count)
        note = f"{_stages(database)}; {spent.each(count)}"
        yield Figure("submit to succeeded, publish stage empty", rate, "builds/s", REACH, more=True, note=note)
        yield from spread_figures("of it: claimed to succeeded", _waits(database))


def measure(options: Options) -> Iterator[Figure]:
    """Yield the figures."""
    count = 60 if options.quick else 300
    yield from _whole(count)
    yield from _without_push(count * 2)
