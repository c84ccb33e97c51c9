"""A dispatcher that is stopped on purpose gives its builds back at once, and that is not held against them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from imagefactory.domain.builds.models import Build, Execution
from imagefactory.domain.builds.services.submit import submit_build
from imagefactory.executors.fake import FakeExecutor
from tests.conftest import INLINE, make_world
from tests.dispatcher.waiting import wait_for

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_running_build_goes_back_to_the_queue_when_its_dispatcher_is_stopped(
    hosts: Callable[..., Any], fake: FakeExecutor
) -> None:
    world = make_world()
    build = submit_build(world.actor("owner"), world.project.id, {**INLINE, "env": {"FAKE_SECONDS": "600"}})
    host = hosts(fake, drain_seconds=0, lease_seconds=3600)
    wait_for(lambda: Execution.objects.filter(build_id=build.id, status="running").exists())
    host.stop()
    wait_for(lambda: Build.objects.filter(id=build.id, status="queued").exists())
    row = Build.objects.get(id=build.id)
    assert row.lost == 0
    assert "was stopped" in row.wait_reason
    attempt = Execution.objects.get(build_id=build.id)
    assert attempt.status == "lost"
    assert "was stopped" in attempt.reason
