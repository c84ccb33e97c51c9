"""May this actor do this? Each answers True or the reason why not."""

from __future__ import annotations

import uuid

from imagefactory.domain.identity.permissions import (
    CAPABILITY_NAMES,
    READ_ONLY,
    REASONS,
    Capability,
    Permission,
    grantors,
)
from imagefactory.domain.identity.states import TENANT_STOPS
from imagefactory.kernel.actor import Actor, ActorKind
from imagefactory.kernel.authorize import Refusal, Verdict
from imagefactory.kernel.errors import CapabilityOff


def may(actor: Actor, permission: Permission, project_id: uuid.UUID | None = None) -> Verdict:
    """Return whether the actor holds `permission` in this project, or tenant-wide when there is none."""
    if actor.may(permission, project_id):
        return True
    if permission not in READ_ONLY and actor.tenant_state in TENANT_STOPS:
        reason, granted_by = TENANT_STOPS[actor.tenant_state]
        return Refusal(str(permission), reason, granted_by, code="tenant_suspended")
    return Refusal(str(permission), REASONS[permission], grantors(permission))


def may_manage_key(actor: Actor, owner_id: uuid.UUID) -> Verdict:
    """People manage their own keys, from a sign-in and not with a key: a leaked key must not make another."""
    if actor.kind is ActorKind.API_KEY:
        return Refusal("keys:manage", "An API key cannot make or revoke keys.", "Sign in as a person to do that.")
    if actor.user_id == owner_id:
        return True
    return Refusal("keys:manage", "This key belongs to someone else.", "Only its owner can revoke it.")


def may_act_as_person(actor: Actor) -> Verdict:
    """A person's account and their tenants are theirs alone: a key does work in its one tenant, whatever its scopes."""
    if actor.kind is ActorKind.API_KEY:
        return Refusal(
            "account:manage",
            "An API key cannot change its owner's account or make a tenant.",
            "Sign in as a person to do that.",
        )
    return True


def require_capability(actor: Actor, capability: Capability) -> None:
    """Return when the actor's tenant is entitled.

    Raises CapabilityOff with what is off and whom to ask.
    """
    if actor.kind is ActorKind.SYSTEM or capability in actor.capabilities:
        return
    raise CapabilityOff(
        f"Tenant {actor.tenant_slug} is not entitled to {CAPABILITY_NAMES[capability]}. "
        "A system administrator can switch it on.",
        capability=str(capability),
    )
