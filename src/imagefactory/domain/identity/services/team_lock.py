"""One change of a team at a time: the lock, and what the actor may do once it is held."""

from __future__ import annotations

import dataclasses
import uuid

from imagefactory.domain.identity.errors import TenantNotFound
from imagefactory.domain.identity.models import Membership, Tenant
from imagefactory.domain.identity.selectors.rights import Rights, rights_of
from imagefactory.domain.identity.selectors.tenants import require_tenant
from imagefactory.kernel.actor import Actor, ActorKind


def lock_team(tenant_id: uuid.UUID) -> Tenant:
    """Hold the tenant's row until the transaction ends, so that changes of its team come one after the other.

    Rows that refer to the tenant can still be written: builds and pushes do not wait.
    """
    return Tenant.objects.select_for_update(no_key=True).get(id=tenant_id)


def lock_for(actor: Actor) -> Actor:
    """Hold the team and return the actor with the rights that they have now, which may be fewer than at the door.

    Two owners who remove each other at once: the second one finds that they are no owner any more. Raises TenantNotFound
    when they are not in the team any more.
    """
    tenant = lock_team(require_tenant(actor))
    if actor.kind is ActorKind.SYSTEM:
        return actor
    if not Membership.objects.filter(tenant=tenant, user_id=actor.person).exists():
        raise TenantNotFound
    rights = rights_of(actor.person, tenant)
    if actor.kind is ActorKind.API_KEY:
        rights = _of_key(actor, rights)
    return dataclasses.replace(
        actor, tenant_permissions=rights.everywhere, project_permissions=rights.by_project, role=rights.role,
        tenant_state=tenant.state,
    )  # fmt: skip


def _of_key(key: Actor, rights: Rights) -> Rights:
    """Return what is left of a person's rights within what their key carried when it was shown, place by place."""
    places = {*rights.by_project, *key.project_permissions}
    none = frozenset[str]()
    by_project = {
        p: (rights.everywhere | rights.by_project.get(p, none))
        & (key.tenant_permissions | key.project_permissions.get(p, none))
        for p in places
    }
    return Rights(
        rights.everywhere & key.tenant_permissions, {p: held for p, held in by_project.items() if held}, rights.role
    )
