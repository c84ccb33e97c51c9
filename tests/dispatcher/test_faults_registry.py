"""The registry is down when a build wants to push: it is tried again for a while, and nothing is half recorded."""

from __future__ import annotations

import uuid
from collections.abc import Callable

from imagefactory.domain.builds import selectors
from imagefactory.domain.builds.services.cancel import cancel_build
from imagefactory.domain.images.models import ImageVersion, Tag
from imagefactory.domain.images.selectors import get_image
from tests.conftest import World, make_world
from tests.dispatcher import fault_parts as faults
from tests.dispatcher.fault_parts import DispatcherProcess
from tests.dispatcher.registry_server import RegistryServer
from tests.dispatcher.waiting import wait_for
from tests.executors.stand import Stand

pytestmark = faults.MARKS


def without_registry(server: RegistryServer) -> tuple[World, uuid.UUID, selectors.ExecutionView]:
    """Start a build, and kill the registry before the build is done."""
    world = make_world()
    build = faults.submit_ticking(world, 10)
    running = faults.until_tick(world, build, 1, 2)
    server.kill()
    return world, build, running


def test_a_registry_that_comes_back_gets_the_image_without_a_second_build(
    registry_server: RegistryServer, stand: Stand, dispatchers: Callable[..., DispatcherProcess]
) -> None:
    dispatchers("only")
    world, build, running = without_registry(registry_server)
    wait_for(lambda: any("tried again in 5 seconds" in line.text for line in faults.log_of(running)), 60)
    assert not ImageVersion.objects.exists()
    registry_server.start()
    done = faults.ended(world, build)
    assert done.status == "succeeded"
    assert selectors.list_attempts(world.actor("owner"), build) == [(1, "succeeded")]
    image = get_image(world.actor("owner"), world.project.slug)
    assert image.latest is not None
    assert (image.latest.digest, set(image.latest.tags)) == (done.image["digest"], {"v1", "v2"})
    faults.finished_once(build, "build.completed")
    faults.nothing_left(stand, running)


def test_a_registry_that_stays_away_fails_the_build_with_a_sentence_and_records_nothing(
    registry_server: RegistryServer, stand: Stand, dispatchers: Callable[..., DispatcherProcess]
) -> None:
    dispatchers("only", push_attempts="3")
    world, build, running = without_registry(registry_server)
    done = faults.ended(world, build)
    assert (done.status, done.failure["code"], done.failure["who"]) == ("failed", "registry_unreachable", "operator")
    assert "did not answer in 3 attempts" in done.failure["message"]
    assert done.image == {}
    texts = [line.text for line in faults.log_of(running)]
    again = [t.rsplit(" in ", 1)[1] for t in texts if "it is tried again in" in t]
    assert again == ["5 seconds.", "10 seconds."]
    assert not ImageVersion.objects.exists()
    assert not Tag.objects.exists()
    stages = {s.name: s.status for s in selectors.get_execution(world.actor("owner"), build).stages}
    assert stages == {"fetch": "succeeded", "lint": "succeeded", "build": "succeeded", "publish": "failed"}
    faults.finished_once(build, "build.failed")
    faults.nothing_left(stand, running)


def test_a_build_that_waits_for_the_registry_can_be_cancelled(
    registry_server: RegistryServer, stand: Stand, dispatchers: Callable[..., DispatcherProcess]
) -> None:
    dispatchers("only")
    world, build, running = without_registry(registry_server)
    wait_for(lambda: any("tried again in 10 seconds" in line.text for line in faults.log_of(running)), 60)
    cancel_build(world.actor("owner"), build)
    assert faults.ended(world, build, 8).status == "cancelled"
    faults.finished_once(build, "build.cancelled")
    faults.nothing_left(stand, running)
