"""Members of a tenant as others in it see them."""

from __future__ import annotations

import dataclasses
import datetime as dt
import uuid
from collections.abc import Collection

from django.db.models import Q, QuerySet

from imagefactory.domain.identity.errors import MemberNotFound
from imagefactory.domain.identity.models import ApiKey, Invitation, Membership, RoleBinding, User
from imagefactory.domain.identity.permissions import ROLE_PERMISSIONS, Permission, Role
from imagefactory.domain.identity.policies.members import may_remove
from imagefactory.domain.identity.policies.roles import RoleChoice
from imagefactory.domain.identity.selectors.people import Person
from imagefactory.domain.identity.selectors.roles import choice_of, visible_bindings
from imagefactory.domain.identity.selectors.second_factors import people_with_factor
from imagefactory.domain.identity.selectors.tenants import require_tenant
from imagefactory.domain.identity.states import InvitationState
from imagefactory.kernel.actor import Actor
from imagefactory.kernel.authorize import authorize
from imagefactory.kernel.clock import now


@dataclasses.dataclass(frozen=True)
class Held:
    """A role that someone has, in a project or, where that is None, in the whole tenant."""

    role: RoleChoice
    project_id: uuid.UUID | None


@dataclasses.dataclass(frozen=True)
class MemberView:
    """A member. `email`, `last_active_at` and `second_factor` are empty for those who do not manage a team."""

    id: uuid.UUID
    name: str
    email: str
    roles: list[Held]
    joined_at: dt.datetime
    invited_by: str
    last_active_at: dt.datetime | None
    second_factor: bool | None

    @property
    def is_owner(self) -> bool:
        return any(h.role.is_owner for h in self.roles)


@dataclasses.dataclass(frozen=True)
class Removal:
    """What a member's removal would do, counted."""

    keys: int
    invitations: int
    projects_without_admin: list[uuid.UUID]
    last_owner: bool


def sees_addresses(actor: Actor) -> bool:
    """Whether the actor sees members' e-mail addresses and last activity: owners and admins do, others see names."""
    return actor.may_anywhere(Permission.TEAM_MANAGE)


def list_members(
    actor: Actor,
    *,
    search: str = "",
    role: str = "",
    project_id: uuid.UUID | None = None,
    after: str = "",
    limit: int = 50,
) -> tuple[list[MemberView], str]:
    """Return members by name, and the cursor of the next page or an empty string; six queries however many there are.

    `role` is the key of a role that they hold somewhere, `project_id` a project in which they hold one.
    """
    rows = _listed(actor, search=search, role=role, project_id=project_id)
    if after:
        name, _, last = after.rpartition("|")
        try:
            rows = rows.filter(Q(user__name__gt=name) | Q(user__name=name, id__gt=uuid.UUID(last)))
        except ValueError:
            return [], ""
    page = list(rows.order_by("user__name", "id")[: limit + 1])
    shown = page[:limit]
    cursor = f"{shown[-1].user.name}|{shown[-1].id}" if len(page) > limit else ""
    return _views(actor, shown), cursor


def count_members(actor: Actor, *, search: str = "", role: str = "", project_id: uuid.UUID | None = None) -> int:
    """Return how many members `list_members` has on all of its pages."""
    return _listed(actor, search=search, role=role, project_id=project_id).count()


def get_member(actor: Actor, user_id: uuid.UUID) -> MemberView:
    """Return one member.

    Raises MemberNotFound.
    """
    rows = _listed(actor).filter(user_id=user_id)
    if not (found := _views(actor, list(rows[:1]))):
        raise MemberNotFound
    return found[0]


def _listed(
    actor: Actor, *, search: str = "", role: str = "", project_id: uuid.UUID | None = None
) -> QuerySet[Membership]:
    rows = Membership.objects.filter(tenant_id=require_tenant(actor), user__is_active=True)
    if search := search.strip()[:100]:
        match = Q(user__name__icontains=search)
        rows = rows.filter(match | Q(user__email__icontains=search) if sees_addresses(actor) else match)
    bindings = visible_bindings(actor)
    if project_id is not None:
        bindings = bindings.filter(project_id=project_id)
    if role in set(Role):
        bindings = bindings.filter(role=role)
    elif role:
        try:
            bindings = bindings.filter(custom_role_id=uuid.UUID(role))
        except ValueError:
            return rows.none()
    if role or project_id is not None:
        rows = rows.filter(user_id__in=bindings.values("user_id"))
    return rows.select_related("user", "invited_by")


def _views(actor: Actor, rows: Collection[Membership]) -> list[MemberView]:
    held: dict[uuid.UUID, list[Held]] = {}
    bindings = visible_bindings(actor).filter(user_id__in=[m.user_id for m in rows])
    for b in bindings.select_related("custom_role").order_by("created_at", "id"):
        held.setdefault(b.user_id, []).append(Held(choice_of(b.role, b.custom_role), b.project_id))
    told = sees_addresses(actor)
    protected = people_with_factor([m.user_id for m in rows]) if told else set()
    return [
        MemberView(
            m.user_id, m.user.name, m.user.email if told or m.user_id == actor.user_id else "", held.get(m.user_id, []),
            m.created_at, m.invited_by.name if m.invited_by else "", m.last_active_at if told else None,
            m.user_id in protected if told else None,
        )
        for m in rows
    ]  # fmt: skip


def people_of_project(actor: Actor, project_id: uuid.UUID) -> list[MemberView]:
    """Return who has a role in a project or in the whole team, by name, at most 200; the actor can see the project."""
    here = visible_bindings(actor).filter(Q(project_id=project_id) | Q(project_id=None))
    rows = _listed(actor).filter(user_id__in=here.values("user_id")).order_by("user__name", "id")
    return _views(actor, list(rows[:200]))


def members_without(actor: Actor, project_id: uuid.UUID) -> list[tuple[str, str]]:
    """Return id and name of the members who have no role of their own in a project, at most 500; for a form's choice."""
    here = RoleBinding.objects.filter(tenant_id=actor.tenant, project_id=project_id)
    rows = _listed(actor).exclude(user_id__in=here.values("user_id")).order_by("user__name", "id")
    return [(str(m.user_id), m.user.name) for m in rows[:500]]


def roles_held(tenant_id: uuid.UUID, user_id: uuid.UUID) -> list[Held]:
    """Return every role of a person in a tenant, whoever asks; for this app's services and its dialogs."""
    rows = RoleBinding.objects.filter(tenant_id=tenant_id, user_id=user_id).select_related("custom_role").order_by("id")
    return [Held(choice_of(b.role, b.custom_role), b.project_id) for b in rows]


def owners_left(tenant_id: uuid.UUID, without: uuid.UUID) -> int:
    """Return how many people who can sign in own the tenant, without this one."""
    rows = RoleBinding.objects.filter(tenant_id=tenant_id, role=Role.OWNER, user__is_active=True)
    return rows.exclude(user_id=without).count()


def removal_of(actor: Actor, user_id: uuid.UUID) -> Removal:
    """Return what the removal of a member would do, to those who may remove them, and to the member.

    Raises MemberNotFound, PermissionDenied.
    """
    member, tenant_id = get_member(actor, user_id), require_tenant(actor)
    if user_id != actor.person:
        authorize(may_remove(actor, [(h.role, h.project_id) for h in roles_held(tenant_id, user_id)]))
    mine = {h.project_id for h in member.roles if h.project_id and Permission.TEAM_MANAGE in h.role.permissions}
    others = managing(tenant_id, mine, without=user_id)
    sent = Invitation.objects.filter(tenant_id=tenant_id, invited_by_id=user_id, state=InvitationState.PENDING)
    keys = ApiKey.objects.filter(tenant_id=tenant_id, user_id=user_id, revoked_at=None, expires_at__gt=now())
    last = member.is_owner and not owners_left(tenant_id, user_id)
    return Removal(keys.count(), sent.count(), sorted(mine - others), last)


def managing(tenant_id: uuid.UUID, projects: Collection[uuid.UUID], *, without: uuid.UUID) -> set[uuid.UUID]:
    """Return those of the projects that have someone else with a role in them that manages their team."""
    rows = RoleBinding.objects.filter(tenant_id=tenant_id, project_id__in=projects, user__is_active=True)
    found = rows.exclude(user_id=without).select_related("custom_role")
    return {b.project_id for b in found if b.project_id and _manages(b)}


def _manages(binding: RoleBinding) -> bool:
    return Permission.TEAM_MANAGE in choice_of(binding.role, binding.custom_role).permissions


def who_can_grant(tenant_id: uuid.UUID, permission: str, project_id: uuid.UUID | None) -> list[Person]:
    """Return whom a request for access goes to: the owners, and the admins of the project who hold the permission there."""
    rows = RoleBinding.objects.filter(tenant_id=tenant_id, user__is_active=True).select_related("user", "custom_role")
    rows = rows.filter(Q(project_id=None) | Q(project_id=project_id))
    people: dict[uuid.UUID, User] = {}
    for b in rows.order_by("user__name"):
        held = choice_of(b.role, b.custom_role).permissions
        if b.role == Role.OWNER or {str(Permission.TEAM_MANAGE), permission} <= held:
            people[b.user_id] = b.user
    return [Person(u.id, u.name, u.email) for u in list(people.values())[:50]]


def smallest_role_with(permission: str, held: frozenset[str]) -> Role | None:
    """Return the built-in role given per project that adds this permission and takes nothing away; None when only an
    owner, or a tenant's own role, has it.
    """
    fitting = [r for r in (Role.VIEWER, Role.MEMBER, Role.ADMIN) if held | {permission} <= ROLE_PERMISSIONS[r]]
    return min(fitting, key=lambda r: len(ROLE_PERMISSIONS[r]), default=None)
