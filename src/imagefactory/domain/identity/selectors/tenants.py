"""Tenants that a person belongs to."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime as dt
import uuid

from django.db.models import OuterRef, Q, Subquery, Value
from django.db.models.functions import Coalesce

from imagefactory.domain.identity.errors import SecondFactorRequired, TenantNotFound
from imagefactory.domain.identity.models import Membership, RoleBinding, Tenant, TenantLogo, User
from imagefactory.domain.identity.selectors.rights import highest
from imagefactory.kernel.actor import Actor
from imagefactory.kernel.errors import TenantRequired


@dataclasses.dataclass(frozen=True)
class TenantView:
    """A tenant as its members see it in lists."""

    id: uuid.UUID
    slug: str
    name: str
    role: str
    state: str = "active"
    state_reason: str = ""
    delete_after: dt.datetime | None = None
    logo: str = ""  # the digest of the picture, empty without one


def tenants_of(user_id: uuid.UUID) -> list[TenantView]:
    """Return the tenants that a person belongs to, by name, with their highest role in each."""
    bindings: dict[uuid.UUID, set[str]] = {}
    held = RoleBinding.objects.filter(user_id=user_id).values_list("tenant_id", "role", "custom_role__name")
    for tenant_id, role, custom in held:
        bindings.setdefault(tenant_id, set()).add(role or custom)
    logo = Subquery(TenantLogo.objects.filter(tenant_id=OuterRef("id")).values("digest"))
    tenants = (
        Tenant.objects.filter(id__in=Membership.objects.filter(user_id=user_id).values("tenant_id"))
        .annotate(logo=Coalesce(logo, Value("")))
        .order_by("name", "slug")
    )
    return [
        TenantView(
            t.id, t.slug, t.name, highest(bindings.get(t.id, set())), t.state, t.state_reason, t.delete_after, t.logo
        )
        for t in tenants
    ]


def slug_or_id(key: str) -> Q:
    """Return the condition for the tenant that a person or program names."""
    match = Q(slug=key)
    with contextlib.suppress(ValueError):
        match |= Q(id=uuid.UUID(key))
    return match


def tenants_open_to(actor: Actor) -> list[TenantView]:
    """Return the tenants that this sign-in opens: all of the person's, or the one that it is bound to."""
    mine = tenants_of(actor.person)
    return mine if actor.bound_to is None else [t for t in mine if t.id == actor.bound_to]


def tenant_of(user: User, wanted: str | None) -> Tenant | None:
    mine = Tenant.objects.filter(id__in=Membership.objects.filter(user=user).values("tenant_id"))
    mine = mine.select_related("ip_list")  # who may come from where is asked of every request
    if wanted:
        tenant = mine.filter(slug_or_id(wanted)).first()
        if tenant is None:
            raise TenantNotFound
        return tenant
    few = list(mine[:2])
    return few[0] if len(few) == 1 else None


def last_tenant_slug(user_id: uuid.UUID) -> str | None:
    """Return the slug of the tenant this person worked in last, if they still belong to it."""
    last = User.objects.filter(id=user_id).values_list("last_tenant_id", flat=True).first()
    if last is None or not Membership.objects.filter(user_id=user_id, tenant_id=last).exists():
        return None
    return Tenant.objects.filter(id=last).values_list("slug", flat=True).first()


def tenant_with_slug(slug: str) -> uuid.UUID | None:
    """Return the id of the tenant with this short name, for what comes from the registry and not from a person."""
    return Tenant.objects.filter(slug=slug).values_list("id", flat=True).first()


def tenant_slugs(ids: set[uuid.UUID]) -> dict[uuid.UUID, str]:
    """Return the short names of these tenants, of those that exist; for lists of system administrators."""
    return dict(Tenant.objects.filter(id__in=ids).values_list("id", "slug"))


def tenant_slug(tenant_id: uuid.UUID) -> str:
    return Tenant.objects.values_list("slug", flat=True).get(id=tenant_id)


def require_tenant(actor: Actor) -> uuid.UUID:
    """Return the actor's tenant.

    Raises TenantRequired when none was named and it cannot be derived, SecondFactorRequired when that one wants a second
    factor.
    """
    if actor.tenant_shut:
        raise SecondFactorRequired(actor.tenant_shut)
    if actor.tenant_id is None:
        raise TenantRequired("Say which tenant this is for: set the header X-Tenant-ID to its slug or id.")
    return actor.tenant_id
