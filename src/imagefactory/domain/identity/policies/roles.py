"""What a role grants, and who may give, make or change it: nobody gives more than they have themselves."""

from __future__ import annotations

import dataclasses
import uuid
from collections.abc import Iterable

from imagefactory.domain.identity.models import CustomRole
from imagefactory.domain.identity.permissions import ROLE_PERMISSIONS, Permission, Role
from imagefactory.domain.identity.policies import may
from imagefactory.domain.identity.states import RoleScope
from imagefactory.kernel.actor import Actor, ActorKind
from imagefactory.kernel.authorize import Refusal, Verdict


@dataclasses.dataclass(frozen=True)
class RoleChoice:
    """A role that can be given: one of the four built-in ones, or a tenant's own, which has an id."""

    name: str
    scope: RoleScope
    permissions: frozenset[str]
    builtin: Role | None = None
    custom_id: uuid.UUID | None = None
    description: str = ""

    @property
    def key(self) -> str:
        """The word by which forms and the API name this role."""
        return str(self.builtin or self.custom_id)

    @property
    def is_owner(self) -> bool:
        return self.builtin is Role.OWNER

    @property
    def tenant_wide(self) -> bool:
        return self.scope == RoleScope.TENANT

    @property
    def columns(self) -> dict[str, object]:
        """The columns by which bindings and invitations name this role."""
        return {"role": str(self.builtin or ""), "custom_role_id": self.custom_id}


def builtin(role: Role) -> RoleChoice:
    scope = RoleScope.TENANT if role is Role.OWNER else RoleScope.PROJECT
    return RoleChoice(str(role), scope, frozenset(str(p) for p in ROLE_PERMISSIONS[role]), builtin=role)


def custom(row: CustomRole) -> RoleChoice:
    held = frozenset(str(p) for p in row.permissions)
    return RoleChoice(row.name, RoleScope(row.scope), held, custom_id=row.id, description=row.description)


def _wider(actor: Actor, permissions: Iterable[str], project_id: uuid.UUID | None) -> list[str]:
    """Return what of these permissions the actor does not hold there, in the order of the enum."""
    wanted = set(permissions)
    return [str(p) for p in Permission if p in wanted and not actor.may(p, project_id)]


def may_grant(actor: Actor, role: RoleChoice, projects: Iterable[uuid.UUID] = ()) -> Verdict:
    """Return whether the actor may give this role, or take it away, in these projects; in the tenant when it holds there."""
    if actor.kind is ActorKind.SYSTEM:
        return True
    for place in [None] if role.tenant_wide else projects:
        if (verdict := may(actor, Permission.TEAM_MANAGE, place)) is not True:
            return verdict
        if lacking := _wider(actor, role.permissions, place):
            return Refusal(
                lacking[0],
                f"The role {role.name} can do more than you may yourself: {', '.join(lacking)}.",
                "An owner of the team can change who holds it.",
            )
    return _may_make_owner(actor) if role.is_owner else True


def _may_make_owner(actor: Actor) -> Verdict:
    if actor.kind is ActorKind.API_KEY:
        return Refusal(
            str(Permission.TEAM_MANAGE),
            "An API key cannot make or unmake an owner.",
            "Sign in as an owner of the team to do that.",
        )
    if actor.role != Role.OWNER:
        return Refusal(str(Permission.TEAM_MANAGE), "Only owners make or unmake an owner.", "Ask an owner of the team.")
    return True


def may_manage_somewhere(actor: Actor) -> Verdict:
    """Return whether the actor manages the team of any project: then there are people and roles for them to see to."""
    return True if actor.may_anywhere(Permission.TEAM_MANAGE) else may(actor, Permission.TEAM_MANAGE)


def may_define_role(
    actor: Actor, name: str, scope: str, permissions: Iterable[str], places: Iterable[uuid.UUID | None] = ()
) -> Verdict:
    """Return whether the actor may make, change or delete a role with these permissions.

    `places` are where it is held or offered; the actor must manage each and hold all of it there. A role that is nowhere yet
    must fit within what they hold in the tenant, or, for one that is given per project, in a project that they manage.
    """
    if (verdict := may_manage_somewhere(actor)) is not True or actor.kind is ActorKind.SYSTEM:
        return verdict
    wanted = frozenset(permissions)
    held_at = set(places)
    if scope == RoleScope.TENANT:
        held_at = {None}
    if held_at:
        role = RoleChoice(name, RoleScope(scope), wanted)
        return may_grant(actor, role, [p for p in held_at if p is not None])
    own = [None, *actor.project_permissions]
    managed = [p for p in own if actor.may(Permission.TEAM_MANAGE, p)]
    if any(not _wider(actor, wanted, place) for place in managed):
        return True
    lacking = min((_wider(actor, wanted, place) for place in managed), key=len)
    return Refusal(
        lacking[0],
        f"The role {name} could do more than you may yourself: {', '.join(lacking)}.",
        "An owner of the team can make it.",
    )
