"""The runner helper is killed under a build: the build waits for it and runs again once."""

from __future__ import annotations

import signal
from collections.abc import Callable

from imagefactory.domain.builds import selectors
from tests.conftest import make_world
from tests.dispatcher import fault_parts as faults
from tests.dispatcher.fault_parts import DispatcherProcess
from tests.dispatcher.registry_server import RegistryServer
from tests.dispatcher.waiting import wait_for
from tests.executors.stand import Stand

pytestmark = faults.MARKS


def test_a_build_whose_helper_is_killed_waits_and_is_run_again_once(
    registry: str, stand: Stand, dispatchers: Callable[..., DispatcherProcess]
) -> None:
    world = make_world()
    dispatchers("only")
    build = faults.submit_ticking(world, 60)
    running = faults.until_tick(world, build, 1, 20)
    seen = faults.log_of(running)
    stand.end(signal.SIGKILL)
    owner = world.actor("owner")
    wait_for(lambda: selectors.get_build(owner, build).status == "queued", 20)
    place = selectors.queue_place(owner, selectors.get_build(owner, build))
    assert place is not None
    assert "The runner helper was lost" in place.reason
    assert "Tried again at" in place.reason
    stand.start()
    assert faults.ended(world, build).status == "succeeded"
    attempts = selectors.list_attempts(owner, build)
    assert attempts == [(1, "failed"), (2, "succeeded")]
    first, again = (selectors.get_execution(owner, build, n) for n in (1, 2))
    assert first.reason.startswith("The runner helper was lost")
    assert faults.log_of(first)[: len(seen)] == seen
    assert "goes back to the queue" in faults.log_of(first)[-1].text
    assert faults.ticks_in(faults.log_of(again)) == list(range(1, 61))
    faults.finished_once(build, "build.completed")
    faults.nothing_left(stand, running, again)


def test_a_build_directory_that_a_restarted_helper_swept_is_no_fault_of_the_build(
    registry_server: RegistryServer, stand: Stand, dispatchers: Callable[..., DispatcherProcess]
) -> None:
    world = make_world()
    dispatchers("only")
    build = faults.submit_ticking(world, 10)
    running = faults.until_tick(world, build, 1, 2)
    registry_server.kill()  # holds the build in its publish stage
    wait_for(lambda: any("tried again in 10 seconds" in line.text for line in faults.log_of(running)), 60)
    stand.end(signal.SIGKILL)
    stand.start()
    registry_server.start()
    assert faults.ended(world, build).status == "succeeded"
    assert selectors.list_attempts(world.actor("owner"), build) == [(1, "failed"), (2, "succeeded")]
    assert "the build directory is gone" in faults.log_of(running)[-1].text
    faults.finished_once(build, "build.completed")
    faults.nothing_left(stand, running)


def test_a_build_waits_while_there_is_no_helper_and_says_so(
    registry: str, stand: Stand, dispatchers: Callable[..., DispatcherProcess]
) -> None:
    world = make_world()
    stand.end()
    dispatchers("only")
    build = faults.submit_ticking(world, 3)
    owner = world.actor("owner")
    wait_for(lambda: selectors.list_attempts(owner, build) == [(1, "failed")], 20)
    waiting = selectors.get_build(owner, build)
    assert waiting.status == "queued"
    assert "The runner helper does not answer" in waiting.wait_reason
    stand.start()
    assert faults.ended(world, build).status == "succeeded"
    faults.finished_once(build, "build.completed")
    faults.nothing_left(stand, selectors.get_execution(owner, build))
