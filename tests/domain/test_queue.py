"""The queue: fair, capped, exactly once, whatever dies when."""

from __future__ import annotations

import datetime as dt
import threading
import time

import pytest
from django.db import connection, connections, transaction

from imagefactory.domain.builds import queue, selectors
from imagefactory.domain.builds.errors import BuildNotCancellable, LeaseLost
from imagefactory.domain.builds.models import Build, Execution, TenantQueue
from imagefactory.domain.builds.services import execution
from imagefactory.domain.builds.services.cancel import cancel_build
from imagefactory.domain.builds.services.submit import rerun_build, start_build, submit_build
from imagefactory.domain.builds.states import BuildStatus, StageStatus
from imagefactory.domain.projects.services import create_project
from imagefactory.kernel.clock import now
from imagefactory.kernel.errors import Conflict, InvalidTransition
from imagefactory.kernel.outbox.models import OutboxEvent
from tests.conftest import INLINE, World, make_world


def submit(world: World, **manifest: object) -> selectors.BuildDetail:
    return submit_build(world.actor("owner"), world.project.id, {**INLINE, **manifest})


def test_a_submitted_build_is_claimed_once_and_finishes_once(world: World) -> None:
    build = submit(world)
    claim = queue.claim("w1")
    assert claim is not None
    assert claim.build_id == build.id
    assert queue.claim("w2") is None
    execution.begin(claim, ["fetch", "build"])
    execution.finish(claim, BuildStatus.SUCCEEDED, image={"path": "a/b", "digest": "sha256:0"})
    with pytest.raises(LeaseLost):
        execution.finish(claim, BuildStatus.FAILED)
    after = selectors.get_build(world.actor("owner"), build.id)
    assert (after.status, after.attempts) == ("succeeded", 1)
    types = list(
        OutboxEvent.objects.filter(correlation_id=str(build.id)).order_by("seq").values_list("type", flat=True)
    )
    assert types == ["build.created", "build.queued", "build.started", "build.completed"]
    assert TenantQueue.objects.get(tenant_id=world.tenant_id).running == 0


def test_a_tenant_never_runs_more_than_its_limit_and_the_build_says_so(world: World) -> None:
    builds = [submit(world) for _ in range(3)]
    assert queue.claim("w") is not None
    assert queue.claim("w") is not None
    assert queue.claim("w") is None
    place = selectors.queue_place(world.actor("owner"), selectors.get_build(world.actor("owner"), builds[2].id))
    assert place is not None
    assert "2 of 2 running" in place.reason


def test_tenants_take_turns_however_long_one_queue_is(world: World) -> None:
    other = make_world()
    for _ in range(2):
        submit(world)
    submit(other)
    first, second = queue.claim("w"), queue.claim("w")
    assert first is not None
    assert second is not None
    assert {first.tenant_id, second.tenant_id} == {world.tenant_id, other.tenant_id}


def test_a_higher_priority_starts_first(world: World) -> None:
    submit(world, priority=1)
    urgent = submit(world, priority=9)
    claim = queue.claim("w")
    assert claim is not None
    assert claim.build_id == urgent.id


def test_a_lost_worker_gives_its_build_back_and_its_late_writes_are_refused(world: World) -> None:
    build = submit(world)
    claim = queue.claim("w1")
    assert claim is not None
    execution.begin(claim, ["build"])
    Execution.objects.filter(id=claim.execution_id).update(lease_until=now() - dt.timedelta(seconds=1))
    assert queue.take_lost() == 1
    assert queue.take_lost() == 0
    with pytest.raises(LeaseLost):
        queue.extend(claim)
    with pytest.raises(LeaseLost):
        execution.finish(claim, BuildStatus.SUCCEEDED)
    again = queue.claim("w2")
    assert again is not None
    assert (again.build_id, again.attempt) == (build.id, 2)
    assert again.fence > claim.fence


def test_an_execution_is_held_from_its_claim_to_its_end_and_its_stages_end_with_it(world: World) -> None:
    submit(world)
    claim = queue.claim("w1")
    assert claim is not None
    mine = str(claim.execution_id)
    asked = [mine, "0" * 32, "no id at all"]
    assert queue.held(asked) == {mine}
    for _ in range(2):  # an answer to a commit may be lost, so beginning twice changes nothing
        execution.begin(claim, ["fetch", "build", "publish"])
    execution.set_stage(claim, "fetch", StageStatus.SUCCEEDED)
    execution.set_stage(claim, "build", StageStatus.RUNNING)
    Execution.objects.filter(id=claim.execution_id).update(lease_until=now() - dt.timedelta(seconds=1))
    queue.take_lost()
    assert queue.held(asked) == set()
    stages = selectors.get_execution(world.actor("owner"), claim.build_id).stages
    assert [s.status for s in stages] == ["succeeded", "failed", "skipped"]
    with pytest.raises(LeaseLost):
        execution.begin(claim, ["fetch"])


def test_a_build_that_keeps_losing_its_worker_fails_with_the_reason(world: World) -> None:
    build = submit(world)
    for _ in range(3):
        claim = queue.claim("w")
        assert claim is not None
        Execution.objects.filter(id=claim.execution_id).update(lease_until=now() - dt.timedelta(seconds=1))
        queue.take_lost()
    after = selectors.get_build(world.actor("owner"), build.id)
    assert after.status == "failed"
    assert after.failure["code"] == "worker_lost"


def test_a_dispatch_that_fails_waits_and_does_not_count_against_the_build(world: World) -> None:
    build = submit(world)
    claim = queue.claim("w")
    assert claim is not None
    execution.give_back(claim, "The runner helper does not answer.")
    assert queue.claim("w") is None
    Build.objects.filter(id=build.id).update(not_before=now() - dt.timedelta(seconds=1))
    TenantQueue.objects.filter(tenant_id=world.tenant_id).update(ready_at=now() - dt.timedelta(seconds=1))
    again = queue.claim("w")
    assert again is not None
    assert Build.objects.get(id=build.id).lost == 0


def test_cancelling_a_waiting_build_ends_it_and_it_is_never_claimed(world: World) -> None:
    build = submit(world)
    assert cancel_build(world.actor("admin"), build.id).status == "cancelled"
    assert queue.claim("w") is None
    with pytest.raises(BuildNotCancellable):
        cancel_build(world.actor("admin"), build.id)


def test_cancelling_a_running_build_tells_its_worker_at_the_next_heartbeat(world: World) -> None:
    build = submit(world)
    claim = queue.claim("w")
    assert claim is not None
    assert queue.extend(claim) is False
    cancel_build(world.actor("owner"), build.id)
    cancel_build(world.actor("owner"), build.id)
    assert queue.extend(claim) is True
    execution.finish(claim, BuildStatus.CANCELLED)
    assert selectors.get_build(world.actor("owner"), build.id).status == "cancelled"


def test_a_rerun_is_a_new_attempt_when_nothing_changed_and_a_new_build_when_something_did(
    world: World,
) -> None:
    build = submit(world)
    with pytest.raises(InvalidTransition):
        start_build(world.actor("member"), build.id)
    claim = queue.claim("w")
    assert claim is not None
    execution.finish(claim, BuildStatus.FAILED, failure=execution.Failure("step_failed", "build", "It failed."))
    assert rerun_build(world.actor("member"), build.id).id == build.id
    again = queue.claim("w")
    assert again is not None
    assert again.attempt == 2
    execution.finish(again, BuildStatus.SUCCEEDED)
    other = rerun_build(world.actor("member"), build.id, {"tags": ["v2"]})
    assert other.number == build.number + 1


def test_the_same_idempotency_key_submits_one_build(world: World) -> None:
    owner = world.actor("owner")
    first = submit_build(owner, world.project.id, INLINE, idempotency_key="k1")
    second = submit_build(owner, world.project.id, dict(reversed(INLINE.items())), idempotency_key="k1")
    assert first.id == second.id
    assert selectors.count_builds(owner, selectors.BuildFilter()) == 1


def test_an_idempotency_key_that_comes_with_another_request_is_refused_whatever_differs(world: World) -> None:
    owner = world.actor("owner")
    first = submit_build(owner, world.project.id, INLINE, idempotency_key="k1")
    other = create_project(owner, name="Other")
    for project, asked, start in (
        (world.project.id, {**INLINE, "tags": ["v2"]}, True),
        (world.project.id, {**INLINE, "dockerfile": {"inline": "FROM scratch\n"}}, True),
        (world.project.id, {**INLINE, "build_args": {"A": "1"}}, True),
        (world.project.id, INLINE, False),
        (other.id, INLINE, True),
    ):
        with pytest.raises(Conflict, match=f"build #{first.number}"):
            submit_build(owner, project, asked, start=start, idempotency_key="k1")
    assert selectors.count_builds(owner, selectors.BuildFilter()) == 1
    # The key is the person's own.
    assert submit_build(world.actor("admin"), world.project.id, INLINE, idempotency_key="k1").id != first.id


@pytest.mark.committed
@pytest.mark.django_db(transaction=True)
def test_many_claimers_at_once_take_each_build_once_and_keep_the_limit() -> None:
    worlds = [make_world() for _ in range(3)]
    for world in worlds:
        for _ in range(6):
            submit(world)
    taken: list[queue.Claim] = []
    wrong: list[int] = []
    guard = threading.Lock()

    def work() -> None:
        try:
            for _ in range(40):
                claim = queue.claim("w")
                if claim is None:
                    continue
                with connection.cursor() as cursor:
                    cursor.execute("select count(*) from builds_tenantqueue where running > max_running")
                    wrong.append(cursor.fetchone()[0])
                with guard:
                    taken.append(claim)
                execution.finish(claim, BuildStatus.SUCCEEDED)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=work) for _ in range(6)]
    for t in threads:
        t.start()
    for t in threads:
        t.join(60)
    assert len(taken) == 18
    assert len({c.build_id for c in taken}) == 18
    assert not any(wrong)
    assert set(TenantQueue.objects.values_list("running", flat=True)) == {0}


@pytest.mark.django_db(transaction=True)
def test_a_claimer_waits_for_a_tenant_that_another_holds_for_a_moment() -> None:
    build = submit(make_world())
    held, enough = threading.Event(), threading.Event()

    def hold() -> None:
        with transaction.atomic():
            list(TenantQueue.objects.select_for_update(no_key=True))
            held.set()
            enough.wait(0.05)
        connections.close_all()

    holder = threading.Thread(target=hold)
    holder.start()
    assert held.wait(10)
    claim = queue.claim("w")
    holder.join()
    assert claim is not None
    assert claim.build_id == build.id


@pytest.mark.committed
@pytest.mark.django_db(transaction=True)
def test_a_build_that_goes_back_to_the_queue_while_it_is_cancelled_is_cancelled() -> None:
    world = make_world()
    build = submit(world)
    assert queue.claim("w") is not None
    held = threading.Event()

    def lose() -> None:
        try:
            with transaction.atomic():
                queue.hand_back("w", Execution.objects.values_list("id", flat=True))
                held.set()
                someone_waits()
        finally:
            connections.close_all()

    def someone_waits() -> None:
        deadline = time.monotonic() + 10
        asked = "select count(*) from pg_locks where not granted"
        with connection.cursor() as cursor:
            while time.monotonic() < deadline:
                cursor.execute(asked)
                if cursor.fetchone()[0]:
                    return

    loser = threading.Thread(target=lose)
    loser.start()
    assert held.wait(10)
    assert cancel_build(world.actor("owner"), build.id).status == "cancelled"
    loser.join()
    assert queue.claim("w") is None
