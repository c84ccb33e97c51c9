"""Exports of a tenant: asked for here, made by a job, downloaded by owners until they expire."""

from __future__ import annotations

import datetime as dt
import uuid

from django.db import transaction

from imagefactory.domain.identity import events, policies
from imagefactory.domain.identity.errors import ExportNotFound, TenantNotFound
from imagefactory.domain.identity.models import Tenant, TenantExport
from imagefactory.domain.identity.selectors import ExportView, exports_of
from imagefactory.domain.identity.states import ExportStatus
from imagefactory.kernel import actor as actors
from imagefactory.kernel import env, queue
from imagefactory.kernel.actor import Actor
from imagefactory.kernel.authorize import authorize
from imagefactory.kernel.clock import now
from imagefactory.kernel.outbox.emit import emit
from imagefactory.kernel.throttle.check import count_attempt

JOB = "tenants.export"
_JOBS = "jobs"


def request_export(actor: Actor, tenant_id: uuid.UUID) -> uuid.UUID:
    """Have an export made and return its id; one that is being made already is returned again.

    Raises TenantNotFound, PermissionDenied, RateLimited (6 an hour).
    """
    authorize(policies.may_end_tenant(actor, tenant_id))
    count_attempt("export a team", str(tenant_id), limit=6, window_seconds=3600)
    return ask_for_export(actor, tenant_id)


def ask_for_export(actor: Actor, tenant_id: uuid.UUID) -> uuid.UUID:
    """Put the row and its job into the caller's transaction; for services that asked for rights themselves."""
    with transaction.atomic():
        if not Tenant.objects.select_for_update().filter(id=tenant_id).exists():
            raise TenantNotFound
        made, new = TenantExport.objects.get_or_create(
            tenant_id=tenant_id, status=ExportStatus.WAITING, defaults={"requested_by_name": actor.name[:200]}
        )
        if new:
            emit(actor, events.TenantExportAsked(tenant_id, made.id))
            queue.defer(JOB, export_id=str(made.id))
    return made.id


def finish_export(export_id: uuid.UUID, *, digest: str, size: int) -> bool:
    """Record that the archive is there; return whether it was news. For the job."""
    moment = now()
    until = moment + dt.timedelta(days=env.get().export_days)
    with transaction.atomic():
        done = TenantExport.objects.filter(id=export_id, status=ExportStatus.WAITING).update(
            status=ExportStatus.READY, digest=digest, size_bytes=size, ready_at=moment, expires_at=until
        )
        if done:
            tenant_id = TenantExport.objects.values_list("tenant_id", flat=True).get(id=export_id)
            emit(actors.system(_JOBS), events.TenantExportReady(tenant_id, export_id, size, until.isoformat()))
    return bool(done)


def fail_export(export_id: uuid.UUID, why: str) -> None:
    """Record that no archive could be made. For the job."""
    TenantExport.objects.filter(id=export_id, status=ExportStatus.WAITING).update(
        status=ExportStatus.FAILED, failure=why[:300]
    )


def expire_exports(limit: int = 100) -> list[str]:
    """End exports whose time is over and return the digests that no live export names any more. For the job."""
    with transaction.atomic():
        over = list(
            TenantExport.objects.select_for_update(skip_locked=True).filter(
                status=ExportStatus.READY, expires_at__lt=now()
            )[:limit]
        )
        TenantExport.objects.filter(id__in=[e.id for e in over]).update(status=ExportStatus.EXPIRED)
        kept = set(
            TenantExport.objects.filter(status=ExportStatus.READY, digest__in=[e.digest for e in over]).values_list(
                "digest", flat=True
            )
        )
    return [e.digest for e in over if e.digest not in kept]


def exports_for_owner(actor: Actor, tenant_id: uuid.UUID) -> list[ExportView]:
    """Return the newest exports.

    Raises TenantNotFound, PermissionDenied.
    """
    authorize(policies.may_take_export(actor, tenant_id))
    return exports_of(tenant_id)


def open_export(actor: Actor, tenant_id: uuid.UUID, export_id: uuid.UUID) -> str:
    """Return the digest of an archive that is handed to an owner now, and record that it was.

    Raises TenantNotFound, PermissionDenied, ExportNotFound when it is not ready or has expired.
    """
    authorize(policies.may_take_export(actor, tenant_id))
    found = TenantExport.objects.filter(
        id=export_id, tenant_id=tenant_id, status=ExportStatus.READY, expires_at__gt=now()
    ).first()
    if found is None:
        raise ExportNotFound
    with transaction.atomic():
        emit(actor, events.TenantExportDownloaded(tenant_id, export_id))
    return found.digest
