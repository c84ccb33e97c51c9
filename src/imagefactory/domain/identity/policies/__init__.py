"""May this actor do this? Each answers True or the reason why not."""

from __future__ import annotations

import uuid

from imagefactory.domain.identity.permissions import (
    CAPABILITY_NAMES,
    READ_ONLY,
    REASONS,
    Capability,
    Permission,
    Role,
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
    if actor.bound_to is not None:
        return Refusal(
            "account:manage",
            "You came in through the team's own sign-in, which opens this team and not your account.",
            "Sign in with your own password to do that.",
        )
    return True


def may_manage_providers(actor: Actor, tenant_id: uuid.UUID | None) -> Verdict:
    """Who says who people are: owners for their tenant, administrators for the installation, both in person.

    Neither a key nor a custom role is enough: with a provider of one's own one can sign in as any member.
    """
    if actor.kind is ActorKind.API_KEY:
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


def may_read_installation_providers(actor: Actor) -> Verdict:
    """Administrators, those who only read too, see how people sign in to the installation."""
    if actor.sees_installation or actor.kind is ActorKind.SYSTEM:
        return True
    return Refusal(
        "providers:view", "Only system administrators see how people sign in to the installation.",
        "A system administrator can grant it.",
    )  # fmt: skip


def may_manage_sign_in(actor: Actor) -> Verdict:
    """Others' sign-in is the matter of system administrators, and of the command line on the machine itself."""
    if actor.kind is ActorKind.SYSTEM or (actor.kind is ActorKind.USER and actor.is_system_admin):
        return True
    return Refusal(
        "sign_in:manage",
        "Only system administrators decide about other people's sign-in.",
        "Another administrator can make you one.",
    )


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
