"""The database is killed under a running build and comes back: one end, nothing stuck, no line lost."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator

import pytest
from django.db import connection, connections

from imagefactory.adapters.postgres import embedded, temporary
from imagefactory.domain.builds import selectors
from tests import environment
from tests.conftest import make_world
from tests.dispatcher import fault_parts as faults
from tests.dispatcher.fault_parts import DispatcherProcess
from tests.dispatcher.waiting import wait_for
from tests.executors.stand import Stand

pytestmark = faults.MARKS


@pytest.fixture
def outage(transactional_db: None) -> Iterator[Callable[[float], None]]:
    """Return a function that kills the database and every process of it, and starts it again after some seconds."""
    place = environment.database()
    name = connection.ops.quote_name(str(connection.settings_dict["NAME"]))
    with connection.cursor() as cursor:
        # The tests' server forgets the last moments at a crash, which a real one does not.
        cursor.execute(f"alter database {name} set synchronous_commit = on")
    connections.close_all()

    def kill(seconds: float) -> None:
        pids = embedded.server_pids(place)
        assert len(pids) > 3
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        wait_for(lambda: not embedded.server_pids(place), 10)
        time.sleep(seconds)
        temporary.serve(place, temporary.account())
        embedded.wait_ready(place)
        connections.close_all()

    yield kill
    connections.close_all()
    with connection.cursor() as cursor:
        cursor.execute(f"alter database {name} reset synchronous_commit")


@pytest.mark.parametrize("seconds", [0.5, 8.0], ids=["within the lease", "longer than the lease"])
def test_a_running_build_outlives_the_database(
    registry: str,
    stand: Stand,
    dispatchers: Callable[..., DispatcherProcess],
    outage: Callable[[float], None],
    seconds: float,
) -> None:
    world = make_world()
    for name in ("first", "second"):
        dispatchers(name)
    build = faults.submit_ticking(world, 120)
    running = faults.until_tick(world, build, 1, 20)
    outage(seconds)
    owner = world.actor("owner")
    # No worker reaped it: it goes on where it was, and its log with it.
    assert selectors.get_build(owner, build).status == "running"
    assert faults.ended(world, build).status == "succeeded"
    assert selectors.list_attempts(owner, build) == [(1, "succeeded")]
    execution = selectors.get_execution(owner, build)
    wait_for(lambda: faults.store().state(str(execution.id)).finished, 10)
    assert faults.ticks_in(faults.log_of(execution)) == list(range(1, 121))
    assert [s.status for s in execution.stages] == ["succeeded"] * 4
    faults.finished_once(build, "build.completed")
    faults.nothing_left(stand, running)


def test_a_build_that_ends_while_the_database_is_away_is_not_lost(
    registry: str, stand: Stand, dispatchers: Callable[..., DispatcherProcess], outage: Callable[[float], None]
) -> None:
    world = make_world()
    dispatchers("only")
    build = faults.submit_ticking(world, 40)
    running = faults.until_tick(world, build, 1, 20)
    outage(6.0)
    # The build stage ended in between; its result waited and is pushed and recorded now.
    assert faults.ended(world, build).status == "succeeded"
    assert selectors.list_attempts(world.actor("owner"), build) == [(1, "succeeded")]
    assert faults.ticks_in(faults.log_of(selectors.get_execution(world.actor("owner"), build))) == list(range(1, 41))
    faults.finished_once(build, "build.completed")
    faults.nothing_left(stand, running)
