"""A dispatcher dies in the middle of a real build: the build runs again once, and nothing of it stays behind."""

from __future__ import annotations

from collections.abc import Callable

from imagefactory.domain.builds import selectors
from imagefactory.domain.builds.services.cancel import cancel_build
from tests.conftest import make_world
from tests.dispatcher import fault_parts as faults
from tests.dispatcher.fault_parts import DispatcherProcess
from tests.dispatcher.waiting import wait_for
from tests.executors.stand import Stand

pytestmark = faults.MARKS


def test_a_build_whose_dispatcher_is_killed_is_run_again_once_by_another(
    registry: str, stand: Stand, dispatchers: Callable[..., DispatcherProcess]
) -> None:
    world = make_world()
    first = dispatchers("first")
    build = faults.submit_ticking(world, 80)
    faults.until_tick(world, build, 1, 5)
    # The second shares the first one's helper: its start must leave the running build alone.
    dispatchers("second")
    running = faults.until_tick(world, build, 1, 30)
    seen = faults.log_of(running)
    first.kill()
    done = faults.ended(world, build)
    assert done.status == "succeeded", faults.log_of(selectors.get_execution(world.actor("owner"), build))
    owner = world.actor("owner")
    assert selectors.list_attempts(owner, build) == [(1, "lost"), (2, "succeeded")]
    lost, again = (selectors.get_execution(owner, build, n) for n in (1, 2))
    assert (lost.worker, again.worker) == ("first", "second")
    assert [(s.name, s.status) for s in lost.stages] == [
        ("fetch", "succeeded"), ("lint", "succeeded"), ("build", "failed"), ("publish", "skipped"),
    ]  # fmt: skip
    # What was shown before the kill is still there, and the second attempt's log is whole.
    kept = faults.log_of(lost)
    assert kept[: len(seen)] == seen
    assert faults.ticks_in(kept) == list(range(1, len(faults.ticks_in(kept)) + 1))
    wait_for(lambda: faults.store().state(str(again.id)).finished, 10)
    assert faults.ticks_in(faults.log_of(again)) == list(range(1, 81))
    assert again.log_lines == len(faults.log_of(again))
    faults.finished_once(build, "build.completed")
    assert faults.events_of(build).count("build.started") == 2
    assert faults.events_of(build).count("build.execution.lost") == 1
    faults.nothing_left(stand, running, again)


def test_a_dispatcher_that_is_back_under_its_name_takes_its_build_up_without_waiting_for_the_lease(
    registry: str, stand: Stand, dispatchers: Callable[..., DispatcherProcess]
) -> None:
    world = make_world()
    only = dispatchers("only", lease_seconds="600")
    build = faults.submit_ticking(world, 20)
    running = faults.until_tick(world, build, 1, 5)
    only.kill()
    only.start()
    assert faults.ended(world, build).status == "succeeded"
    assert selectors.list_attempts(world.actor("owner"), build) == [(1, "lost"), (2, "succeeded")]
    faults.finished_once(build, "build.completed")
    faults.nothing_left(stand, running)


def test_a_cancelled_build_leaves_nothing_of_itself(
    registry: str, stand: Stand, dispatchers: Callable[..., DispatcherProcess]
) -> None:
    world = make_world()
    dispatchers("only")
    build = faults.submit_ticking(world, 600)
    running = faults.until_tick(world, build, 1, 5)
    cancel_build(world.actor("owner"), build)
    assert faults.ended(world, build, 20).status == "cancelled"
    faults.finished_once(build, "build.cancelled")
    faults.nothing_left(stand, running)


def test_a_build_that_was_being_cancelled_when_its_dispatcher_died_is_cancelled(
    registry: str, stand: Stand, dispatchers: Callable[..., DispatcherProcess]
) -> None:
    world = make_world()
    first = dispatchers("first")
    build = faults.submit_ticking(world, 600)
    running = faults.until_tick(world, build, 1, 5)
    first.kill()
    cancel_build(world.actor("owner"), build)
    dispatchers("second")
    assert faults.ended(world, build).status == "cancelled"
    assert selectors.list_attempts(world.actor("owner"), build) == [(1, "lost")]
    faults.finished_once(build, "build.cancelled")
    faults.nothing_left(stand, running)
