"""A tenant's profile, logo, capabilities, history and exports."""

from __future__ import annotations

import dataclasses
import datetime as dt
import uuid
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from imagefactory.domain.identity.errors import TenantNotFound
from imagefactory.domain.identity.models import (
    Membership,
    RoleBinding,
    Tenant,
    TenantDecision,
    TenantExport,
    TenantLogo,
)
from imagefactory.domain.identity.permissions import Capability
from imagefactory.domain.identity.selectors.rights import capabilities_of
from imagefactory.domain.identity.selectors.tenants import slug_or_id
from imagefactory.domain.identity.states import ExportStatus, TenantState
from imagefactory.kernel.actor import Actor
from imagefactory.kernel.clock import now

_LEFT = dt.timedelta(minutes=10)  # an export that waits longer has lost its job
HISTORY = 100


@dataclasses.dataclass(frozen=True)
class TenantProfile:
    """A tenant as its settings show it; `version` is the ETag."""

    id: uuid.UUID
    slug: str
    name: str
    time_zone: str
    language: str
    contact_email: str
    support_email: str
    state: str
    state_reason: str
    delete_after: dt.datetime | None
    capabilities: Mapping[str, bool]
    has_logo: bool
    version: int
    created_at: dt.datetime


@dataclasses.dataclass(frozen=True)
class DecisionView:
    """One line of a tenant's history; `what` is a capability, or `state`."""

    what: str
    before: str
    after: str
    reason: str
    by_name: str
    at: dt.datetime


@dataclasses.dataclass(frozen=True)
class ExportView:
    """An export as the pages show it; it can be downloaded while `ready`."""

    id: uuid.UUID
    status: str
    requested_by_name: str
    created_at: dt.datetime
    size_bytes: int
    failure: str
    expires_at: dt.datetime | None

    @property
    def ready(self) -> bool:
        return self.status == ExportStatus.READY and self.expires_at is not None and self.expires_at > now()


def tenant_profile(tenant_id: uuid.UUID) -> TenantProfile:
    """Return the profile of a tenant that the caller knows the actor may see.

    Raises TenantNotFound.
    """
    t = Tenant.objects.filter(id=tenant_id).first()
    if t is None:
        raise TenantNotFound
    held = capabilities_of(t)
    return TenantProfile(
        t.id, t.slug, t.name, t.time_zone, t.language, t.contact_email, t.support_email, t.state, t.state_reason,
        t.delete_after, {str(c): c in held for c in Capability}, TenantLogo.objects.filter(tenant=t).exists(), t.version,
        t.created_at,
    )  # fmt: skip


def logo_of(tenant_id: uuid.UUID) -> tuple[str, str, bytes] | None:
    """Return the media type, digest and bytes of a tenant's logo."""
    logo = TenantLogo.objects.filter(tenant_id=tenant_id).first()
    return (logo.media_type, logo.digest, bytes(logo.content)) if logo else None


def history_of(tenant_id: uuid.UUID) -> list[DecisionView]:
    """Return the newest decisions about a tenant."""
    rows = TenantDecision.objects.filter(tenant_id=tenant_id).order_by("-created_at", "-id")[:HISTORY]
    return [DecisionView(d.what, d.before, d.after, d.reason, d.by_name, d.created_at) for d in rows]


def exports_of(tenant_id: uuid.UUID) -> list[ExportView]:
    """Return the newest exports of a tenant."""
    rows = TenantExport.objects.filter(tenant_id=tenant_id).order_by("-created_at")[:10]
    return [
        ExportView(e.id, e.status, e.requested_by_name, e.created_at, e.size_bytes, e.failure, e.expires_at)
        for e in rows
    ]


def tenant_of_waiting_export(export_id: uuid.UUID) -> uuid.UUID | None:
    """Return whose export is to be made; None when it was made or failed already."""
    waiting = TenantExport.objects.filter(id=export_id, status=ExportStatus.WAITING)
    return waiting.values_list("tenant_id", flat=True).first()


def exports_left_waiting() -> Sequence[uuid.UUID]:
    """Return exports that wait longer than their job should take to begin."""
    left = TenantExport.objects.filter(status=ExportStatus.WAITING, created_at__lt=now() - _LEFT)
    return list(left.order_by("created_at").values_list("id", flat=True)[:20])


def members_to_export(tenant_id: uuid.UUID) -> Iterator[dict[str, Any]]:
    """Yield who is in a tenant, with their roles by project id; no project means the whole tenant."""
    roles: dict[uuid.UUID, list[dict[str, Any]]] = {}
    for b in RoleBinding.objects.filter(tenant_id=tenant_id):
        roles.setdefault(b.user_id, []).append({"role": b.role, "project_id": b.project_id})
    for m in (
        Membership.objects.filter(tenant_id=tenant_id).select_related("user").order_by("user__email").iterator(500)
    ):
        yield {"name": m.user.name, "email": m.user.email, "since": m.created_at, "roles": roles.get(m.user_id, [])}


def may_run_builds(tenant_id: uuid.UUID) -> bool | None:
    """Whether builds of this tenant may be claimed; None when there is no such tenant any more."""
    state = Tenant.objects.filter(id=tenant_id).values_list("state", flat=True).first()
    return None if state is None else state == TenantState.ACTIVE


def tenant_id_of(actor: Actor, key: str) -> uuid.UUID:
    """Return the id of a tenant of the installation by its slug or id, for whoever sees the installation.

    Raises TenantNotFound.
    """
    found = Tenant.objects.filter(slug_or_id(key)).values_list("id", flat=True).first()
    if found is None or not actor.sees_installation:
        raise TenantNotFound
    return found


def count_members(tenant_id: uuid.UUID) -> int:
    """Return how many people are in a tenant."""
    return Membership.objects.filter(tenant_id=tenant_id).count()
