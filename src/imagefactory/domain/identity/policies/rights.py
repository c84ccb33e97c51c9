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
from imagefactory.kernel import env
from imagefactory.kernel.actor import Actor, ActorKind
from imagefactory.kernel.authorize import Refusal, Verdict, authorize


def may(actor: Actor, permission: Permission, project_id: uuid.UUID | None = None) -> Verdict:
    """Return whether the actor holds `permission` in this project, or tenant-wide when there is none."""
    if actor.may(permission, project_id):
        return True
    if permission not in READ_ONLY and actor.tenant_state in TENANT_STOPS:
        reason, granted_by = TENANT_STOPS[actor.tenant_state]
        return Refusal(str(permission), reason, granted_by, code="tenant_suspended")
    return Refusal(str(permission), REASONS[permission], grantors(permission))


def may_act_as_person(actor: Actor) -> Verdict:
    """A person's account and their tenants are theirs alone: a key does work in its one tenant, whatever its scopes."""
    if actor.is_program:
        return Refusal(
            "account:manage",
            "An API key cannot change its owner's account or make a tenant.",
            "Sign in as a person to do that.",
        )
    if actor.bound_to is not None:
        return Refusal(
            "account:manage",
            "You came in through the team's own sign-in, which opens this team and not your account.",
            "Sign in with your own password to do that.",
        )
    return True


def is_entitled(actor: Actor, capability: Capability) -> Verdict:
    """Whether the actor's tenant is entitled; the refusal says what is off, for which team, and whom to ask."""
    if actor.kind is ActorKind.SYSTEM or capability in actor.capabilities:
        return True
    support = env.get().support_address
    return Refusal(
        f"capability:{capability}",
        f"{CAPABILITY_NAMES[capability].capitalize()} is switched off for the team {actor.tenant_slug}.",
        f"A system administrator can switch it on{f': write to {support}' if support else ''}; an owner can ask for it in "
        "the team's settings.",
        capability=str(capability),
    )


def require_capability(actor: Actor, capability: Capability) -> None:
    """Return when the actor's tenant is entitled.

    Raises CapabilityOff with what is off and whom to ask.
    """
    authorize(is_entitled(actor, capability))
