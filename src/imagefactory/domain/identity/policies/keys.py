"""May this actor make, change or end keys, service accounts and the list of networks?"""

from __future__ import annotations

import uuid
from collections.abc import Collection

from imagefactory.domain.identity.permissions import Permission
from imagefactory.domain.identity.policies.rights import may
from imagefactory.kernel.actor import Actor, ActorKind
from imagefactory.kernel.authorize import Refusal, Verdict


def _as_person(actor: Actor, permission: str, what: str) -> Verdict:
    """A key never makes keys or changes accounts: one that leaked must not make another."""
    if actor.is_program:
        return Refusal(permission, f"An API key cannot {what}.", "Sign in as a person to do that.")
    return True


def may_manage_key(actor: Actor, owner_id: uuid.UUID) -> Verdict:
    """People manage their own keys, from a sign-in and not with a key."""
    refused = _as_person(actor, "keys:manage", "make or revoke keys")
    if refused is not True or actor.user_id == owner_id:
        return refused
    return Refusal("keys:manage", "This key belongs to someone else.", "Only its owner can revoke it.")


def may_see_account(actor: Actor, project_ids: Collection[uuid.UUID] | None) -> bool:
    """Service accounts of the whole tenant are seen by who manages its team; others by who does in all their projects."""
    if project_ids is None:
        return actor.may(Permission.TEAM_MANAGE)
    return all(actor.may(Permission.TEAM_MANAGE, p) for p in project_ids)


def may_manage_account(actor: Actor, project_ids: Collection[uuid.UUID] | None) -> Verdict:
    """Who sees a service account also changes it, from a sign-in and not with a key."""
    refused = _as_person(actor, "service_accounts:manage", "make or change service accounts")
    if refused is not True:
        return refused
    for project_id in [None] if project_ids is None else project_ids:
        verdict = may(actor, Permission.TEAM_MANAGE, project_id)
        if verdict is not True:
            return verdict
    return True


def may_hand_out(actor: Actor, permissions: Collection[str], project_ids: Collection[uuid.UUID] | None) -> Verdict:
    """Whoever gets to see a service account's key holds themselves all that it may do: else they could do it with the key."""
    places = [None] if project_ids is None else list(project_ids)
    lacking = [p for p in Permission if p in permissions and not all(actor.may(p, place) for place in places)]
    if not lacking:
        return True
    return Refusal(
        str(lacking[0]),
        f"This service account may do more there than you may yourself: {', '.join(lacking[:5])}.",
        "An owner of the team can make, replace and switch on its keys.",
    )


def may_oversee_keys(actor: Actor) -> Verdict:
    """All keys of a tenant are seen by who manages its whole team."""
    return may(actor, Permission.TEAM_MANAGE)


def may_rule_keys(actor: Actor) -> Verdict:
    """The rules for keys are set by who may see all of them, from a sign-in."""
    refused = _as_person(actor, "keys:manage", "change the rules for keys")
    return may_oversee_keys(actor) if refused is True else refused


def may_set_networks(actor: Actor) -> Verdict:
    """The list of networks holds for the whole tenant, and is changed from a sign-in."""
    refused = _as_person(actor, "settings:edit", "change the list of networks")
    return may(actor, Permission.SETTINGS_EDIT) if refused is True else refused


def may_clear_networks(actor: Actor) -> Verdict:
    """Who runs the installation helps out a tenant that shut everyone out."""
    if actor.kind is ActorKind.SYSTEM or actor.is_system_admin:
        return True
    return Refusal(
        "administrator", "Only administrators of the installation clear another team's list.", "Ask one of them."
    )


def may_mint_ci_key(actor: Actor) -> Verdict:
    """Only the exchange itself, which has verified who runs: no person, and no key for another key."""
    if actor.kind is ActorKind.SYSTEM or (actor.user_id is None and actor.key_id is None):
        return True
    return Refusal(
        "keys:mint", "A CI token is given for the identity of a CI run only.", "Send its OIDC token instead."
    )
