"""Service accounts as those see them who manage them."""

from __future__ import annotations

import dataclasses
import datetime as dt
import uuid
from collections.abc import Sequence

from django.db.models import Count, Exists, OuterRef, QuerySet, Subquery

from imagefactory.domain.identity import policies
from imagefactory.domain.identity.errors import ServiceAccountNotFound
from imagefactory.domain.identity.models import ApiKey, Membership, ServiceAccount
from imagefactory.domain.identity.permissions import Permission
from imagefactory.domain.identity.selectors.key_actors import account_permissions
from imagefactory.domain.identity.selectors.tenants import require_tenant
from imagefactory.kernel.actor import Actor
from imagefactory.kernel.authorize import authorize
from imagefactory.kernel.clock import now

MAX_ACCOUNTS = 500  # of one tenant


@dataclasses.dataclass(frozen=True)
class ServiceAccountView:
    """A service account. `needs_review` says that its keeper has left the tenant; `keys` counts those that work."""

    id: uuid.UUID
    name: str
    description: str
    contact_email: str
    role: str
    permissions: Sequence[str]
    project_ids: Sequence[uuid.UUID] | None
    keeper: str
    needs_review: bool
    disabled: bool
    keys: int
    last_used_at: dt.datetime | None
    created_at: dt.datetime
    made_by_name: str


def _rows(actor: Actor) -> QuerySet[ServiceAccount]:
    rows = ServiceAccount.objects.filter(tenant_id=require_tenant(actor), deleted_at=None).select_related("keeper")
    if not actor.may(Permission.TEAM_MANAGE):
        mine = actor.projects_with(Permission.TEAM_MANAGE) or frozenset()
        rows = rows.filter(project_ids__contained_by=list(mine))
    here = Membership.objects.filter(tenant_id=actor.tenant, user_id=OuterRef("keeper_id"))
    used = ApiKey.objects.filter(service_account_id=OuterRef("id"), last_used_at__isnull=False).order_by(
        "-last_used_at"
    )
    live = ApiKey.objects.filter(service_account_id=OuterRef("id"), revoked_at=None, expires_at__gt=now())
    counted = live.order_by().values("service_account_id").annotate(count=Count("id"))
    return rows.annotate(
        keeper_is_here=Exists(here),
        live_keys=Subquery(counted.values("count")),
        used_at=used.values("last_used_at")[:1],
    )


def service_accounts(actor: Actor) -> list[ServiceAccountView]:
    """Return those that the actor manages, by name.

    Raises PermissionDenied for who manages no team at all.
    """
    require_tenant(actor)
    if not actor.may_anywhere(Permission.TEAM_MANAGE):
        authorize(policies.may(actor, Permission.TEAM_MANAGE))
    return [_view(a) for a in _rows(actor).order_by("name")[:MAX_ACCOUNTS]]


def service_account(actor: Actor, account_id: uuid.UUID) -> ServiceAccountView:
    """Return one that the actor manages.

    Raises ServiceAccountNotFound, also for one of other projects.
    """
    found = _rows(actor).filter(id=account_id).first()
    if found is None:
        raise ServiceAccountNotFound
    return _view(found)


def _view(a: ServiceAccount) -> ServiceAccountView:
    extra = vars(a)
    return ServiceAccountView(
        a.id, a.name, a.description, a.contact_email, a.role, sorted(account_permissions(a)), a.project_ids,
        a.keeper.name if a.keeper else "", not extra["keeper_is_here"], a.disabled_at is not None,
        extra["live_keys"] or 0, extra["used_at"], a.created_at, a.made_by_name,
    )  # fmt: skip


@dataclasses.dataclass(frozen=True)
class AccountContact:
    """Whom to write to about a service account."""

    name: str
    email: str


def account_contact(account_id: uuid.UUID) -> AccountContact | None:
    """Return whom to write to about a service account that was not deleted; for messages of the system."""
    found = ServiceAccount.objects.filter(id=account_id, deleted_at=None).first()
    return AccountContact(found.name, found.contact_email) if found else None
