"""Claim, extend, give back: the only SQL that locks rows of the queue."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime as dt
import uuid
from collections.abc import Iterable

from django.db import connection, transaction

from imagefactory.domain.builds import events
from imagefactory.domain.builds.errors import LeaseLost
from imagefactory.domain.builds.models import Build, Execution, Stage, TenantQueue
from imagefactory.domain.builds.states import ACTIVE, BuildStatus, ExecutionStatus, StageStatus
from imagefactory.kernel import actor as actors
from imagefactory.kernel import env, ids, pg
from imagefactory.kernel.clock import now
from imagefactory.kernel.outbox.emit import emit

QUEUED = "builds_queued"
CANCELS = "builds_cancel"
_DISPATCHER = actors.system("dispatcher")


@dataclasses.dataclass(frozen=True)
class Claim:
    """A build that this worker holds now, and the fencing number that its writes must name."""

    execution_id: uuid.UUID
    build_id: uuid.UUID
    tenant_id: uuid.UUID
    project_id: uuid.UUID
    number: int
    attempt: int
    fence: int


def enqueue(tenant_id: uuid.UUID) -> None:
    """Open the tenant's queue; called in the transaction that makes a build queued, after it did."""
    with connection.cursor() as cursor:
        cursor.execute("select builds_enqueue(%s, %s)", [tenant_id, env.get().tenant_slots])
    pg.hint(QUEUED, "")


def pause(tenant_id: uuid.UUID, *, paused: bool) -> None:
    """Say whether builds of this tenant may be claimed; what runs already is left alone. Safe to repeat."""
    with transaction.atomic():
        row, made = TenantQueue.objects.get_or_create(
            tenant_id=tenant_id, defaults={"max_running": env.get().tenant_slots, "ready_at": now(), "paused": paused}
        )
        if not made and row.paused != paused:
            TenantQueue.objects.filter(tenant_id=tenant_id).update(paused=paused)
    if not paused:
        pg.hint(QUEUED, "")


def claim(worker: str) -> Claim | None:
    """Take the next build, fair between tenants and within their caps; None when nothing may start now."""
    settings = env.get()
    execution_id = ids.uuid7()
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(
                "select * from builds_claim(%s, %s, %s)",
                [worker, execution_id, f"{settings.lease_seconds} seconds"],
            )
            row = cursor.fetchone()
        if row is None:
            return None
        build_id, tenant_id, project_id, number, attempt, fence = row
        emit(
            _DISPATCHER,
            events.BuildStarted(tenant_id, project_id, build_id, number, execution_id, attempt, worker),
            correlation_id=str(build_id),
        )
    return Claim(execution_id, build_id, tenant_id, project_id, number, attempt, fence)


def extend(claim: Claim) -> bool:
    """Renew the lease; returns whether someone asked to cancel.

    Raises LeaseLost when the execution is no longer this worker's.
    """
    held = Execution.objects.filter(id=claim.execution_id, fence=claim.fence, status__in=ACTIVE)
    if not held.update(lease_until=now() + dt.timedelta(seconds=env.get().lease_seconds)):
        raise LeaseLost
    return Build.objects.filter(id=claim.build_id, cancel_requested_at__isnull=False).exists()


def held(execution_ids: Iterable[str]) -> set[str]:
    """Return those of these executions that some worker holds now; a text that is no id is held by nobody."""
    known: dict[uuid.UUID, str] = {}
    for text in execution_ids:
        with contextlib.suppress(ValueError):
            known[uuid.UUID(text)] = text
    rows = Execution.objects.filter(id__in=known, status__in=ACTIVE).values_list("id", flat=True)
    return {known[row] for row in rows}


def release(tenant_id: uuid.UUID) -> None:
    """Give the tenant's slot back; called in the transaction that ends an execution."""
    with connection.cursor() as cursor:
        cursor.execute("select builds_release(%s)", [tenant_id])
    pg.hint(QUEUED, "")


def requeue(build: Build, why: str, *, not_before: dt.datetime | None = None) -> None:
    """Put a running build back into the queue; called inside a transaction that ended its execution."""
    if Build.objects.filter(id=build.id, status=BuildStatus.RUNNING).update(
        status=BuildStatus.QUEUED, queued_at=now(), not_before=not_before, wait_reason=why[:400]
    ):
        enqueue(build.tenant_id)
        emit(
            _DISPATCHER,
            events.BuildQueued(
                build.tenant_id, build.project_id, build.id, build.number, why, {"status": str(BuildStatus.RUNNING)}
            ),
            correlation_id=str(build.id),
        )


def take_lost(worker: str = "", incarnation_started: dt.datetime | None = None, limit: int = 20) -> int:
    """Give executions whose lease ran out to someone else, and return how many there were.

    With `worker` and `incarnation_started`: also those that an earlier life of this worker left, without waiting for
    their lease. A build that lost its worker too often fails; one that was being cancelled is cancelled.
    """
    from django.db.models import Q

    lost = Q(lease_until__lt=now())
    if worker and incarnation_started:
        lost |= Q(worker=worker, claimed_at__lt=incarnation_started)
    with transaction.atomic():
        rows = list(
            Execution.objects.select_for_update(skip_locked=True, of=("self",))
            .filter(lost, status__in=ACTIVE)
            .select_related("build")[:limit]
        )
        for execution in rows:
            _lose(execution)
    return len(rows)


def hand_back(worker: str, execution_ids: Iterable[uuid.UUID]) -> int:
    """Put builds back that this worker stops for, at once and without counting it against them; return how many."""
    with transaction.atomic():
        rows = list(
            Execution.objects.select_for_update(of=("self",))
            .filter(id__in=list(execution_ids), worker=worker, status__in=ACTIVE)
            .select_related("build")
        )
        for execution in rows:
            _lose(execution, planned=True)
    return len(rows)


def _lose(execution: Execution, *, planned: bool = False) -> None:
    build, moment = execution.build, now()
    why = "was stopped" if planned else "stopped reporting"
    Execution.objects.filter(id=execution.id).update(
        status=ExecutionStatus.LOST,
        finished_at=moment,
        reason=f"Worker {execution.worker} {why}; the build was taken from it.",
    )
    close_stages(execution.id)
    release(build.tenant_id)
    emit(
        _DISPATCHER,
        events.ExecutionLost(
            build.tenant_id,
            build.project_id,
            build.id,
            build.number,
            execution.id,
            execution.attempt,
            execution.worker,
        ),
        correlation_id=str(build.id),
    )
    if not planned:
        Build.objects.filter(id=build.id).update(lost=build.lost + 1)
    if build.cancel_requested_at is not None:
        end_build(build, BuildStatus.CANCELLED)
    elif planned:
        requeue(build, f"Worker {execution.worker} was stopped; the build starts again.")
    elif build.lost + 1 >= env.get().max_attempts:
        message = (
            f"The worker was lost {build.lost + 1} times while this build ran, so it is not tried again. Ask the operator "
            "what happened to the workers, then rerun."
        )
        end_build(
            build,
            BuildStatus.FAILED,
            failure={"code": "worker_lost", "stage": "", "message": message, "who": "operator"},
        )
    else:
        requeue(build, f"Worker {execution.worker} was lost; the build starts again.")


def close_stages(execution_id: uuid.UUID) -> None:
    """End the stages of an execution that is over: the running one failed, those after it never came."""
    stages = Stage.objects.filter(execution_id=execution_id)
    stages.filter(status=StageStatus.WAITING).update(status=StageStatus.SKIPPED)
    stages.filter(status=StageStatus.RUNNING).update(status=StageStatus.FAILED, finished_at=now())


def end_build(
    build: Build,
    status: BuildStatus,
    *,
    execution_id: uuid.UUID | None = None,
    failure: dict[str, object] | None = None,
    image: dict[str, object] | None = None,
) -> None:
    """Move a running build to its end by compare-and-set and tell it; inside the caller's transaction.

    A build that is not running any more is left alone, so a double finish tells nothing twice.
    """
    moved = Build.objects.filter(id=build.id, status=BuildStatus.RUNNING).update(
        status=status, finished_at=now(), failure=failure or {}, image=image or {}
    )
    if not moved:
        return
    who = (build.tenant_id, build.project_id, build.id, build.number)
    if status is BuildStatus.SUCCEEDED:
        done = image or {}
        event: events.BuildEvent = events.BuildCompleted(
            *who, execution_id or uuid.UUID(int=0), str(done.get("path", "")), str(done.get("digest", ""))
        )
    elif status is BuildStatus.CANCELLED:
        event = events.BuildCancelled(*who)
    else:
        f = failure or {}
        event = events.BuildFailed(
            *who, execution_id, str(f.get("code", "")), str(f.get("stage", "")), str(f.get("message", ""))
        )
    emit(_DISPATCHER, event, correlation_id=str(build.id))
