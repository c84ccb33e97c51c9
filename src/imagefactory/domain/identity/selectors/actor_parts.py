"""An actor put together from a person, a tenant and what a key leaves of their rights."""

from __future__ import annotations

import uuid

from imagefactory.domain.identity.models import Tenant, User
from imagefactory.domain.identity.selectors.ip_lists import check_address
from imagefactory.domain.identity.selectors.rights import Rights, capabilities_of, rights_of, system_roles_of
from imagefactory.kernel.actor import Actor, ActorKind


def actor_from(
    user: User,
    tenant: Tenant | None,
    *,
    request_id: str,
    address: str,
    key_id: uuid.UUID | None = None,
    scopes: list[str] | None = None,
    project_ids: list[uuid.UUID] | None = None,
) -> Actor:
    """Return the actor of a person in a tenant; with a key, what its scopes and projects leave of their rights.

    Raises AddressNotAllowed.
    """
    if tenant:
        check_address(tenant, address, program=key_id is not None)
    rights = rights_of(user.id, tenant) if tenant else Rights()
    if scopes is not None:
        rights = rights.limited_to(scopes).within(project_ids)
    return Actor(
        kind=ActorKind.API_KEY if key_id else ActorKind.USER,
        name=user.name,
        user_id=user.id,
        email=user.email,
        tenant_id=tenant.id if tenant else None,
        tenant_slug=tenant.slug if tenant else "",
        tenant_state=tenant.state if tenant else "active",
        role=rights.role,
        tenant_permissions=rights.everywhere,
        project_permissions=rights.by_project,
        capabilities=capabilities_of(tenant) if tenant else frozenset(),
        # A key is for one tenant's work; it never carries rights over the installation.
        system_roles=frozenset() if key_id else system_roles_of(user),
        key_id=key_id,
        request_id=request_id,
        address=address,
    )
