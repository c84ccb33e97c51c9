"""The rules by which a tenant believes CI jobs."""

from __future__ import annotations

import dataclasses
import datetime as dt
import uuid
from collections.abc import Mapping, Sequence

from imagefactory.domain.identity import policies
from imagefactory.domain.identity.errors import CiTrustNotFound
from imagefactory.domain.identity.models import CiTrust
from imagefactory.domain.identity.selectors.tenants import require_tenant
from imagefactory.kernel.actor import Actor
from imagefactory.kernel.authorize import authorize


@dataclasses.dataclass(frozen=True)
class CiTrustView:
    """One rule."""

    id: uuid.UUID
    name: str
    enabled: bool
    issuer: str
    audience: str
    claims: Mapping[str, str]
    project_ids: Sequence[uuid.UUID]
    permissions: Sequence[str]
    minutes: int
    last_used_at: dt.datetime | None


def list_ci_trust(actor: Actor) -> list[CiTrustView]:
    """Return the rules of the actor's tenant, by name.

    Raises PermissionDenied.
    """
    tenant_id = require_tenant(actor)
    authorize(policies.may_manage_providers(actor, tenant_id))
    return [_view(r) for r in CiTrust.objects.filter(tenant_id=tenant_id).order_by("name")[:200]]


def get_ci_trust(actor: Actor, trust_id: uuid.UUID) -> CiTrustView:
    """Return one rule.

    Raises CiTrustNotFound, PermissionDenied.
    """
    tenant_id = require_tenant(actor)
    authorize(policies.may_manage_providers(actor, tenant_id))
    row = CiTrust.objects.filter(id=trust_id, tenant_id=tenant_id).first()
    if row is None:
        raise CiTrustNotFound
    return _view(row)


def _view(row: CiTrust) -> CiTrustView:
    return CiTrustView(
        row.id, row.name, row.enabled, row.issuer, row.audience, row.claims, [uuid.UUID(p) for p in row.project_ids],
        row.permissions, row.minutes, row.last_used_at,
    )  # fmt: skip
