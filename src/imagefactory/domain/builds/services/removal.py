"""Rows of builds of a tenant that is removed for good, in bounded steps; and whether they may be queued and claimed."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from typing import Any

from django.db import transaction

from imagefactory.domain.builds import queue
from imagefactory.domain.builds.models import Build, Execution, Stage, TenantQueue, UsageSample
from imagefactory.domain.builds.states import ACTIVE


def pause_builds(tenant_id: uuid.UUID, *, paused: bool) -> None:
    """Let no build of the tenant be claimed, or let them be claimed again. Safe to repeat."""
    queue.pause(tenant_id, paused=paused)


def still_running(tenant_id: uuid.UUID) -> bool:
    """Whether a worker holds a build of the tenant now; its rows stay until it let go."""
    return Execution.objects.filter(build__tenant_id=tenant_id, status__in=ACTIVE).exists()


@transaction.atomic
def remove_builds(tenant_id: uuid.UUID, limit: int, forget: Callable[[uuid.UUID], None]) -> int:
    """Remove up to `limit` builds with all that hangs on them, and return how many; 0 when none is left.

    `forget` deletes the log of an execution; the rows go after it, so that a killed run leaves no log behind.
    """
    builds = list(Build.objects.filter(tenant_id=tenant_id).order_by("id").values_list("id", flat=True)[:limit])
    executions = list(Execution.objects.filter(build_id__in=builds).values_list("id", flat=True))
    for execution_id in executions:
        forget(execution_id)
    UsageSample.objects.filter(execution_id__in=executions).delete()
    Stage.objects.filter(execution_id__in=executions).delete()
    Execution.objects.filter(id__in=executions).delete()
    Build.objects.filter(id__in=builds).delete()
    if not builds:
        TenantQueue.objects.filter(tenant_id=tenant_id).delete()
    return len(builds)


def builds_to_export(tenant_id: uuid.UUID) -> Iterator[dict[str, Any]]:
    """Yield what a tenant takes along of its builds, oldest first; manifests name secrets and never hold them."""
    fields = (
        "id", "project__slug", "number", "name", "status", "method", "manifest", "trigger", "created_by_name", "created_at",
        "started_at", "finished_at", "ref", "commit", "commit_message", "failure", "image",
    )  # fmt: skip
    yield from Build.objects.filter(tenant_id=tenant_id).order_by("id").values(*fields).iterator(chunk_size=500)
