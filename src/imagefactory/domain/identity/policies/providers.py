"""Who says how people and CI jobs sign in."""

from __future__ import annotations

import uuid

from imagefactory.domain.identity.permissions import Permission, Role
from imagefactory.domain.identity.states import TENANT_STOPS
from imagefactory.kernel.actor import Actor, ActorKind
from imagefactory.kernel.authorize import Refusal, Verdict


def may_manage_providers(actor: Actor, tenant_id: uuid.UUID | None) -> Verdict:
    """Who says who people are: owners for their tenant, administrators for the installation, both in person.

    Neither a key nor a custom role is enough: with a provider of one's own one can sign in as any member.
    """
    if actor.is_program:
        return Refusal(
            "providers:manage", "An API key cannot change how people sign in.", "Sign in as a person to do that."
        )
    if tenant_id is None:
        if actor.is_system_admin or actor.kind is ActorKind.SYSTEM:
            return True
        return Refusal(
            "providers:manage", "Only system administrators change how people sign in to the installation.",
            "A system administrator can do it or grant it.",
        )  # fmt: skip
    if actor.kind is ActorKind.SYSTEM or (
        actor.tenant_id == tenant_id and actor.role == Role.OWNER and actor.may(Permission.TEAM_MANAGE)
    ):
        return True
    if actor.tenant_state in TENANT_STOPS and actor.role == Role.OWNER:
        reason, granted_by = TENANT_STOPS[actor.tenant_state]
        return Refusal("providers:manage", reason, granted_by, code="tenant_suspended")
    return Refusal(
        "providers:manage",
        "Only owners of the team change how its members sign in.",
        "An owner can do it or make you one.",
    )
