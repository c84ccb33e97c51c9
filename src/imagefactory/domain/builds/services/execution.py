"""What a worker writes while it runs an execution: every write names the fencing number and is refused when stale.

A build outlives its database for a while: the writes wait and are repeated until it is back (`pg.outlast`).
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from django.db import transaction

from imagefactory.domain.builds import events
from imagefactory.domain.builds.errors import LeaseLost
from imagefactory.domain.builds.models import Build, BuildText, Execution, Stage, UsageSample, Worker
from imagefactory.domain.builds.queue import Claim, close_stages, end_build, release, requeue
from imagefactory.domain.builds.states import ACTIVE, BuildStatus, ExecutionStatus, StageStatus
from imagefactory.kernel import actor as actors
from imagefactory.kernel import live, pg
from imagefactory.kernel.clock import now
from imagefactory.kernel.outbox.emit import emit
from imagefactory.methods.repository_file import SUBMISSION

MAX_DISPATCH_FAILURES = 20


@dataclasses.dataclass(frozen=True)
class Work:
    """Everything a dispatcher needs to know of the build it claimed."""

    manifest: Mapping[str, Any]
    origins: Mapping[str, str]
    source: Mapping[str, Any]
    ref: str
    name: str
    started_by_id: uuid.UUID | None
    created_by_name: str


@pg.outlast
def get_work(claim: Claim) -> Work:
    """Return the claimed build's manifest and source."""
    b = Build.objects.get(id=claim.build_id)
    origins = dict.fromkeys(b.manifest, SUBMISSION) if b.origins is None else b.origins
    starter = b.started_by_id or b.created_by_id
    return Work(b.manifest, origins, b.source, b.ref, b.name, starter, b.created_by_name)


def _write(claim: Claim, **fields: Any) -> None:
    held = Execution.objects.filter(id=claim.execution_id, fence=claim.fence, status__in=ACTIVE)
    if not held.update(**fields):
        raise LeaseLost


def tell_live(claim: Claim, kind: str, **data: Any) -> None:
    """Tell open pages that something of this build changed; only a hint, the row is the truth."""
    topics = [f"build:{claim.build_id}", f"project:{claim.project_id}", f"tenant:{claim.tenant_id}"]
    live.tell([live.Notice(kind, topics, {"build_id": str(claim.build_id), "number": claim.number, **data})])


@pg.outlast
def begin(claim: Claim, stages: Sequence[str]) -> None:
    """Move the execution to running and write down its stages, all waiting. A second call changes nothing.

    Raises LeaseLost.
    """
    with transaction.atomic():
        _write(claim, status=ExecutionStatus.RUNNING, started_at=now())
        Stage.objects.bulk_create(
            (Stage(execution_id=claim.execution_id, position=i, name=name) for i, name in enumerate(stages)),
            ignore_conflicts=True,
        )


@pg.outlast
def set_stage(
    claim: Claim,
    name: str,
    status: StageStatus,
    *,
    exit_code: int | None = None,
    first_line: int | None = None,
    last_line: int | None = None,
    message: str = "",
) -> None:
    """Move one stage, with its times and log lines.

    Raises LeaseLost.
    """
    fields: dict[str, Any] = {"status": status, "message": message[:1000]}
    if status is StageStatus.RUNNING:
        fields |= {"started_at": now(), "first_line": first_line}
    else:
        fields |= {"finished_at": now(), "exit_code": exit_code, "last_line": last_line}
    with transaction.atomic():
        _write(claim, updated_at=now())
        Stage.objects.filter(execution_id=claim.execution_id, name=name).update(**fields)
        tell_live(claim, "build.stage.changed", stage=name, status=str(status))


@pg.outlast
def set_facts(claim: Claim, **fields: Any) -> None:
    """Write facts of the execution: isolation, facts, progress, usage, log_lines, masked_values.

    Raises LeaseLost.
    """
    _write(claim, updated_at=now(), **fields)


@pg.outlast
def set_commit(claim: Claim, *, commit: str, message: str) -> None:
    """Write the resolved commit onto the build.

    Raises LeaseLost.
    """
    with transaction.atomic():
        _write(claim, updated_at=now())
        build = Build.objects.only("name").get(id=claim.build_id)
        Build.objects.filter(id=build.id).update(commit=commit[:64], commit_message=message[:300])
        BuildText.objects.filter(build=build).update(
            words=BuildText.words_of(build.name, message[:300]), codes=BuildText.codes_of(commit[:64], claim.number)
        )


@pg.outlast
def set_progress(claim: Claim, current: int, total: int, stage: str, text: str) -> None:
    """Write how far the build came, and tell open pages.

    Raises LeaseLost.
    """
    with transaction.atomic():
        progress = {"current": current, "total": total, "stage": stage, "text": text[:200]}
        _write(claim, progress=progress, updated_at=now())
        tell_live(claim, "build.progress", **progress)


@pg.outlast
def add_usage(claim: Claim, samples: Sequence[Mapping[str, int | dt.datetime]]) -> None:
    """Append usage samples (fields of UsageSample)."""
    UsageSample.objects.bulk_create(UsageSample(execution_id=claim.execution_id, **s) for s in samples)


@dataclasses.dataclass(frozen=True)
class Failure:
    """Why a build failed: `who` can mend it is you, admin or operator.

    `line` is the line of the log that shows it, `dockerfile_line` the one that caused it; both count from 1, 0 is none.
    """

    code: str
    stage: str
    message: str
    who: str = "you"
    line: int = 0
    exit_code: int | None = None
    dockerfile_line: int = 0


@pg.outlast
def finish(
    claim: Claim,
    status: BuildStatus,
    *,
    failure: Failure | None = None,
    image: Mapping[str, Any] | None = None,
    log_lines: int = 0,
    masked_values: int = 0,
    usage: Mapping[str, Any] | None = None,
) -> None:
    """End the execution and its build; unfinished stages become skipped. A second finish is refused.

    Raises LeaseLost.
    """
    with transaction.atomic():
        _write(
            claim,
            status=ExecutionStatus(str(status)),
            finished_at=now(),
            reason=failure.message[:1000] if failure else "",
            exit_code=failure.exit_code if failure else 0 if status is BuildStatus.SUCCEEDED else None,
            log_lines=log_lines,
            masked_values=masked_values,
            usage=dict(usage or {}),
        )
        close_stages(claim.execution_id)
        build = Build.objects.get(id=claim.build_id)
        end_build(
            build,
            status,
            execution_id=claim.execution_id,
            failure=dataclasses.asdict(failure) if failure else None,
            image=dict(image) if image else None,
        )
        release(claim.tenant_id)


@pg.outlast
def give_back(claim: Claim, reason: str) -> None:
    """Put a build back that could not be started; tried again after 5 s times the failures so far, up to 60 s.

    It does not count against the build, but after MAX_DISPATCH_FAILURES in a row it fails. Raises LeaseLost.
    """
    with transaction.atomic():
        _write(claim, status=ExecutionStatus.FAILED, finished_at=now(), reason=reason[:1000])
        Stage.objects.filter(
            execution_id=claim.execution_id, status__in=[StageStatus.WAITING, StageStatus.RUNNING]
        ).update(status=StageStatus.SKIPPED)
        build = Build.objects.get(id=claim.build_id)
        release(claim.tenant_id)
        emit(
            actors.system("dispatcher"),
            events.DispatchFailed(
                build.tenant_id, build.project_id, build.id, build.number, claim.execution_id, reason
            ),
            correlation_id=str(build.id),
        )
        failures = build.dispatch_failures + 1
        Build.objects.filter(id=build.id).update(dispatch_failures=failures)
        if build.cancel_requested_at is not None:
            end_build(build, BuildStatus.CANCELLED)
        elif failures >= MAX_DISPATCH_FAILURES:
            end_build(
                build,
                BuildStatus.FAILED,
                execution_id=claim.execution_id,
                failure=dataclasses.asdict(Failure("dispatch_failed", "", reason, who="operator")),
            )
        else:
            requeue(build, reason, not_before=now() + dt.timedelta(seconds=min(60, 5 * failures)))


def report_worker(
    *, name: str, incarnation: uuid.UUID, started_at: dt.datetime, slots: int, running: int,
    isolation: Mapping[str, Any], version: str,
) -> None:  # fmt: skip
    """Write that this dispatcher host is alive and what it offers."""
    Worker.objects.update_or_create(
        name=name,
        defaults={"incarnation": incarnation, "slots": slots, "running": running, "isolation": dict(isolation),
                  "version": version, "started_at": started_at, "seen_at": now()},
    )  # fmt: skip
