"""Who may take someone out of a team."""

from __future__ import annotations

import uuid
from collections.abc import Iterable

from imagefactory.domain.identity.permissions import Permission
from imagefactory.domain.identity.policies import may, may_act_as_person
from imagefactory.domain.identity.policies.roles import RoleChoice, may_grant
from imagefactory.domain.identity.states import TENANT_STOPS
from imagefactory.kernel.actor import Actor
from imagefactory.kernel.authorize import Refusal, Verdict


def may_remove(actor: Actor, held: Iterable[tuple[RoleChoice, uuid.UUID | None]]) -> Verdict:
    """Return whether the actor may remove a member who holds these roles.

    Who manages the whole team may; an admin of projects may when all that the member has is theirs to give.
    """
    theirs = list(held)
    if not theirs:
        return may(actor, Permission.TEAM_MANAGE)
    for role, project_id in theirs:
        verdict = may_grant(actor, role, [project_id] if project_id else [])
        if verdict is not True:
            return verdict
    return True


def in_active_team(actor: Actor) -> Verdict:
    """Return whether anything can be changed in the actor's team now."""
    if actor.tenant_state in TENANT_STOPS:
        reason, granted_by = TENANT_STOPS[actor.tenant_state]
        return Refusal("team:change", reason, granted_by, code="tenant_suspended")
    return True


def may_leave(actor: Actor) -> Verdict:
    """People leave by themselves, from a sign-in; whatever the state of the team, nobody is kept in it."""
    return may_act_as_person(actor)
