"""Cancel a build: at once while it waits, through its worker while it runs."""

from __future__ import annotations

import uuid

from django.db import transaction

from imagefactory.domain.builds import events, policies
from imagefactory.domain.builds.errors import BuildNotCancellable
from imagefactory.domain.builds.models import Build
from imagefactory.domain.builds.queue import CANCELS
from imagefactory.domain.builds.selectors import BuildDetail, get_build
from imagefactory.domain.builds.states import CANCELLABLE, BuildStatus
from imagefactory.kernel import actor as actors
from imagefactory.kernel import pg
from imagefactory.kernel.actor import Actor
from imagefactory.kernel.authorize import authorize
from imagefactory.kernel.clock import now
from imagefactory.kernel.outbox.emit import emit


def cancel_build(actor: Actor, build_id: uuid.UUID) -> BuildDetail:
    """Cancel a build and return it as it is then. Asking twice while it stops changes nothing.

    Raises BuildNotFound, PermissionDenied, BuildNotCancellable when it has ended.
    """
    build = get_build(actor, build_id)
    authorize(policies.may_cancel(actor, build.project_id))
    if build.status not in CANCELLABLE:
        raise BuildNotCancellable(build.status)
    who = (build.tenant_id, build.project_id, build.id, build.number)
    with transaction.atomic():
        waiting = Build.objects.filter(id=build.id, status__in=[BuildStatus.DRAFT, BuildStatus.QUEUED])
        if waiting.update(status=BuildStatus.CANCELLED, finished_at=now(), cancel_requested_at=now()):
            emit(actor, events.BuildCancelled(*who), correlation_id=str(build.id))
        elif Build.objects.filter(id=build.id, status=BuildStatus.RUNNING, cancel_requested_at=None).update(
            cancel_requested_at=now()
        ):
            emit(actor, events.BuildCancelRequested(*who), correlation_id=str(build.id))
            pg.hint(CANCELS, str(build.id))
    return get_build(actor, build_id)


def cancel_all_of_project(project_id: uuid.UUID) -> None:
    """Cancel everything that waits or runs in a project that was deleted; safe to repeat."""
    system = actors.system("projects")
    for build in Build.objects.filter(project_id=project_id, status__in=CANCELLABLE).only("id", "tenant_id", "number"):
        who = (build.tenant_id, project_id, build.id, build.number)
        with transaction.atomic():
            if Build.objects.filter(id=build.id, status__in=[BuildStatus.DRAFT, BuildStatus.QUEUED]).update(
                status=BuildStatus.CANCELLED, finished_at=now(), cancel_requested_at=now()
            ):
                emit(system, events.BuildCancelled(*who), correlation_id=str(build.id))
            else:
                Build.objects.filter(id=build.id, status=BuildStatus.RUNNING).update(cancel_requested_at=now())
                pg.hint(CANCELS, str(build.id))
