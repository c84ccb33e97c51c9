"""Roles that follow a provider's groups: given and taken as it says, and only those that it gave."""

from __future__ import annotations

import uuid
from collections.abc import Iterable

from imagefactory.domain.identity import events
from imagefactory.domain.identity.models import (
    IdentityProvider,
    Membership,
    ProviderGrant,
    ProviderRole,
    RoleBinding,
    Tenant,
    User,
)
from imagefactory.domain.identity.permissions import Role
from imagefactory.kernel.actor import Actor
from imagefactory.kernel.outbox.emit import emit

_Place = tuple[uuid.UUID, uuid.UUID | None]  # tenant, project
_RANK = {str(r): n for n, r in enumerate(Role)}


def apply_roles(actor: Actor, provider: IdentityProvider, user_id: uuid.UUID, groups: Iterable[str] | None) -> None:
    """Give and take roles so that they are what the provider says now; None: it says nothing any more.

    Within the caller's transaction. A role given by hand in the same place wins and is never touched; the last owner of
    a tenant stays one. A tenant's provider gives roles in that tenant alone.
    """
    wanted = {} if groups is None else _wanted(provider, {g.casefold() for g in groups})
    grants = {(g.tenant_id, g.project_id): g for g in ProviderGrant.objects.filter(provider=provider, user_id=user_id)}
    touched = sorted({place[0] for place in [*wanted, *grants]}, key=str)
    # One lock for each tenant: two people who lose the role of owner at once are looked at one after the other.
    list(Tenant.objects.select_for_update().filter(id__in=touched).order_by("id").values_list("id"))
    before = _told(grants.values())
    for place, grant in grants.items():
        if wanted.get(place) != grant.role:
            _take(grant)
    for place, role in wanted.items():
        _give(actor, provider, user_id, place, role)
    after = _told(ProviderGrant.objects.filter(provider=provider, user_id=user_id))
    if before != after:
        emit(actor, events.DirectoryRolesApplied(provider.tenant_id, user_id, provider.id, before, after))


def _wanted(provider: IdentityProvider, groups: set[str]) -> dict[_Place, str]:
    rows = ProviderRole.objects.filter(provider=provider)
    if provider.tenant_id is not None:
        rows = rows.filter(tenant_id=provider.tenant_id)
    wanted: dict[_Place, str] = {}
    for row in rows:
        if row.group and row.group.casefold() not in groups:
            continue
        place = (row.tenant_id, row.project_id)
        if place not in wanted or _RANK[row.role] < _RANK[wanted[place]]:
            wanted[place] = row.role
    return wanted


def _take(grant: ProviderGrant) -> None:
    binding = RoleBinding.objects.filter(
        tenant_id=grant.tenant_id, user_id=grant.user_id, project_id=grant.project_id, role=grant.role
    )
    if grant.role == Role.OWNER and not _other_owners(grant):
        return  # kept until there is another owner: the next sign-in or the next look into the directory takes it
    binding.delete()
    grant.delete()


def _other_owners(grant: ProviderGrant) -> bool:
    others = RoleBinding.objects.filter(tenant_id=grant.tenant_id, role=Role.OWNER).exclude(user_id=grant.user_id)
    return others.filter(user__in=User.objects.filter(is_active=True)).exists()


def _give(actor: Actor, provider: IdentityProvider, user_id: uuid.UUID, place: _Place, role: str) -> None:
    tenant_id, project_id = place
    kept = ProviderGrant.objects.filter(provider=provider, tenant_id=tenant_id, user_id=user_id, project_id=project_id)
    binding = RoleBinding.objects.filter(tenant_id=tenant_id, user_id=user_id, project_id=project_id).first()
    if binding is not None and (binding.role != role or not kept.exists()):
        kept.delete()  # someone decided by hand
        return
    join_tenant(actor, tenant_id, user_id, role)
    if binding is None:
        RoleBinding.objects.create(tenant_id=tenant_id, user_id=user_id, project_id=project_id, role=role)
    ProviderGrant.objects.update_or_create(
        provider=provider, tenant_id=tenant_id, user_id=user_id, project_id=project_id, defaults={"role": role}
    )


def join_tenant(actor: Actor, tenant_id: uuid.UUID, user_id: uuid.UUID, role: str) -> None:
    """Make someone a member, if they are none yet, and tell it; within the caller's transaction."""
    _, made = Membership.objects.get_or_create(tenant_id=tenant_id, user_id=user_id)
    if made:
        email = User.objects.values_list("email", flat=True).get(id=user_id)
        emit(actor, events.MemberJoined(tenant_id, user_id, email, role))


def _told(grants: Iterable[ProviderGrant]) -> list[str]:
    return sorted(f"{g.role}@{g.project_id}" if g.project_id else g.role for g in grants)
