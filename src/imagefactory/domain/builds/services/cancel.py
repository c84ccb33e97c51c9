"""Cancel a build: at once while it waits, through its worker while it runs."""

from __future__ import annotations

import uuid

from django.db import transaction

from imagefactory.domain.builds import events, policies
from imagefactory.domain.builds.errors import BuildNotCancellable
from imagefactory.domain.builds.models import Build, BuildQuerySet
from imagefactory.domain.builds.queue import CANCELS
from imagefactory.domain.builds.selectors import BuildDetail, get_build
from imagefactory.domain.builds.states import CANCELLABLE, BuildStatus
from imagefactory.kernel import actor as actors
from imagefactory.kernel import pg
from imagefactory.kernel.actor import Actor
from imagefactory.kernel.authorize import authorize
from imagefactory.kernel.clock import now
from imagefactory.kernel.outbox.emit import emit

_BATCH = 200


def cancel_build(actor: Actor, build_id: uuid.UUID) -> BuildDetail:
    """Cancel a build and return it as it is then. Asking twice while it stops changes nothing.

    Raises BuildNotFound, PermissionDenied, BuildNotCancellable when it has ended.
    """
    build = get_build(actor, build_id)
    authorize(policies.may_cancel(actor, build.project_id))
    with transaction.atomic():
        status = _cancel(actor, build.id)
        if status not in CANCELLABLE:
            raise BuildNotCancellable(status)
    return get_build(actor, build_id)


def cancel_all_of_project(project_id: uuid.UUID) -> int:
    """Cancel everything that waits or runs in a project that was deleted, and return how many; safe to repeat.

    Each build in a transaction of its own, so that it may be killed in between. For a job.
    """
    return _cancel_each(Build.objects.filter(project_id=project_id), "projects")


def cancel_all_of_tenant(tenant_id: uuid.UUID) -> int:
    """Cancel everything that waits or runs in a tenant that is removed, as `cancel_all_of_project` does. For a job."""
    return _cancel_each(Build.objects.filter(tenant_id=tenant_id), "tenants")


def _cancel_each(builds: BuildQuerySet, who: str) -> int:
    system, count = actors.system(who), 0
    stopping = builds.filter(status__in=CANCELLABLE, cancel_requested_at=None)
    while ids := list(stopping.order_by("id").values_list("id", flat=True)[:_BATCH]):
        for build_id in ids:
            with transaction.atomic():
                _cancel(system, build_id)
        count += len(ids)
    return count


def _cancel(actor: Actor, build_id: uuid.UUID) -> str:
    """Cancel a build unless it has ended, and return the status that it had; inside the caller's transaction.

    Its row is locked, since a build that goes from running to queued between two looks would be cancelled by neither.
    """
    build = Build.objects.select_for_update(of=("self",)).get(id=build_id)
    mine, who = Build.objects.filter(id=build_id), (build.tenant_id, build.project_id, build.id, build.number)
    if build.status == BuildStatus.RUNNING:
        if build.cancel_requested_at is None:
            mine.update(cancel_requested_at=now())
            emit(actor, events.BuildCancelRequested(*who), correlation_id=str(build_id))
            pg.hint(CANCELS, str(build_id))
    elif build.status in CANCELLABLE:
        mine.update(status=BuildStatus.CANCELLED, finished_at=now(), cancel_requested_at=now())
        emit(actor, events.BuildCancelled(*who, {"status": str(build.status)}), correlation_id=str(build_id))
    return build.status
