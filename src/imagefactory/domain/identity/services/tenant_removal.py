"""The end of a tenant whose grace period is over: its own rows go last, in small steps that may be repeated."""

from __future__ import annotations

import dataclasses
import uuid
from collections.abc import Callable

from django.db import transaction

from imagefactory.domain.identity import events
from imagefactory.domain.identity.models import ApiKey, Membership, RetiredSlug, RoleBinding, Tenant, User
from imagefactory.domain.identity.models import TenantExport as Export
from imagefactory.domain.identity.states import TenantState
from imagefactory.kernel import actor as actors
from imagefactory.kernel.clock import now
from imagefactory.kernel.outbox.emit import emit


@dataclasses.dataclass(frozen=True)
class Leaving:
    """A tenant that is to be removed."""

    id: uuid.UUID
    slug: str


def due_for_removal(limit: int = 20) -> list[Leaving]:
    """Return tenants whose grace period is over, the longest over first."""
    due = Tenant.objects.filter(state=TenantState.DELETING, delete_after__lte=now()).order_by("delete_after")
    return [Leaving(t.id, t.slug) for t in due[:limit]]


def is_due(tenant_id: uuid.UUID) -> bool:
    """Whether a tenant is still to be removed, after whoever changes its state at this moment; from then on nobody stops it."""
    with transaction.atomic():
        rows = Tenant.objects.select_for_update().filter(id=tenant_id)
        return bool(rows.filter(state=TenantState.DELETING, delete_after__lte=now()))


def remove_people(tenant_id: uuid.UUID, limit: int) -> int:
    """Remove up to `limit` rows of who is in the tenant, and return how many went; the accounts themselves stay."""
    for model in (ApiKey, RoleBinding, Membership):
        ids = list(model.objects.filter(tenant_id=tenant_id).values_list("pk", flat=True)[:limit])
        if ids:
            return int(model.objects.filter(pk__in=ids).delete()[0])
    return 0


def finish_removal(tenant_id: uuid.UUID, forget: Callable[[str], None]) -> bool:
    """Remove the tenant's row and keep its short name from ever being given out; `forget` deletes an archive.

    Returns False and does nothing for a tenant that is not due any more, or is gone already.
    """
    with transaction.atomic():
        tenant = (
            Tenant.objects.select_for_update()
            .filter(id=tenant_id, state=TenantState.DELETING, delete_after__lte=now())
            .first()
        )
        if tenant is None:
            return False
        for digest in Export.objects.filter(tenant=tenant).exclude(digest="").values_list("digest", flat=True):
            forget(digest)
        RetiredSlug.objects.get_or_create(slug=tenant.slug, defaults={"tenant_id": tenant.id, "retired_at": now()})
        User.objects.filter(last_tenant_id=tenant.id).update(last_tenant_id=None)
        emit(actors.system("jobs"), events.TenantRemoved(tenant.id, tenant.slug, tenant.name))
        tenant.delete()
    return True
