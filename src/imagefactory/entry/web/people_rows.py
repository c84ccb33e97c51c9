"""People, their roles and their invitations as the pages' tables and forms show them."""

from __future__ import annotations

import dataclasses
import uuid
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from imagefactory.domain.identity.permissions import Permission, Role
from imagefactory.domain.identity.policies.roles import RoleChoice, may_grant
from imagefactory.domain.identity.selectors.members import Held, MemberView
from imagefactory.domain.projects.selectors import ProjectView, list_projects, projects_by_id
from imagefactory.entry.http.people import projects_of
from imagefactory.entry.web.rights import LABELS
from imagefactory.kernel.actor import Actor

SHOWN = 3  # roles of a person in a line
MOST_PROJECTS = 100  # in a form
_MEANINGS: Final = {
    Role.OWNER: "Everything in the team: its settings, people, projects and its end.",
    Role.ADMIN: "Runs the chosen projects: their settings, people and builds, which they may also cancel.",
    Role.MEMBER: "Starts builds in the chosen projects, reads their logs and pulls their images.",
    Role.VIEWER: "Reads the chosen projects with their reports and audit trail, pulls images, and changes nothing.",
}


@dataclasses.dataclass(frozen=True)
class MemberRow:
    """One line of the list of people."""

    member: MemberView
    url: str
    roles: str
    more: int
    me: bool


@dataclasses.dataclass(frozen=True)
class Place:
    """Where a role can be given in a form: one project, or the whole team; `field` is the name of its select."""

    field: str
    name: str
    role: str
    choices: Sequence[tuple[str, str]]
    key: uuid.UUID | None


def role_name(role: RoleChoice) -> str:
    """Return a role's name as a title: the built-in ones are written small where they are codes."""
    return role.name.capitalize() if role.builtin else role.name


def in_words(held: Held, projects: Mapping[uuid.UUID, ProjectView]) -> str:
    if held.project_id is None:
        return role_name(held.role) if held.role.is_owner else f"{role_name(held.role)} (whole team)"
    return f"{role_name(held.role)} of {projects[held.project_id].name}"


def _in_a_line(held: Sequence[Held], projects: Mapping[uuid.UUID, ProjectView]) -> str:
    """Return roles in one line, each named once: `Member of Ledger, Checkout; Viewer of Store`."""
    found: dict[str, list[str]] = {}
    for h in held:
        if h.project_id is None:
            found[in_words(h, projects)] = []
        else:
            found.setdefault(f"{role_name(h.role)} of", []).append(projects[h.project_id].name)
    return "; ".join(f"{role} {', '.join(names)}".rstrip() for role, names in found.items())


def shown_roles(member: MemberView, projects: Mapping[uuid.UUID, ProjectView]) -> list[Held]:
    """Return the roles of a member that this reader may know of, the team's first."""
    known = [h for h in member.roles if h.project_id is None or h.project_id in projects]
    return sorted(known, key=lambda h: (h.project_id is not None, projects[h.project_id].name if h.project_id else ""))


def member_rows(actor: Actor, members: Sequence[MemberView]) -> list[MemberRow]:
    projects = projects_of(actor, members)
    rows = []
    for m in members:
        held = shown_roles(m, projects)
        url = f"/t/{actor.tenant_slug}/people/{m.id}"
        words = _in_a_line(held[:SHOWN], projects)
        rows.append(MemberRow(m, url, words, max(0, len(held) - SHOWN), m.id == actor.user_id))
    return rows


def meaning(role: RoleChoice) -> str:
    """Return in one sentence what a role is for."""
    return role.description or (_MEANINGS[role.builtin] if role.builtin else ", ".join(allowed(role)))


def allowed(role: RoleChoice) -> list[str]:
    """Return what a role allows, in words and in the order of the help page."""
    return [label for permission, label in LABELS.items() if permission in role.permissions]


def grantable(actor: Actor, roles: Iterable[RoleChoice], project_id: uuid.UUID | None) -> list[RoleChoice]:
    """Return the roles that the actor may give there."""
    fitting = [r for r in roles if r.tenant_wide is (project_id is None)]
    return [r for r in fitting if may_grant(actor, r, [project_id] if project_id else []) is True]


def invitable(actor: Actor, roles: Iterable[RoleChoice], managed: Sequence[ProjectView]) -> list[RoleChoice]:
    """Return the roles that the actor may invite with: in the whole team, or in one of the projects they manage."""
    return [
        r for r in roles
        if (may_grant(actor, r) is True if r.tenant_wide else any(may_grant(actor, r, [p.id]) is True for p in managed))
    ]  # fmt: skip


def managed_projects(actor: Actor) -> list[ProjectView]:
    """Return the projects whose team the actor manages, by name, as many as a form shows."""
    found, _ = list_projects(actor, limit=200)
    return [p for p in found if actor.may(Permission.TEAM_MANAGE, p.id)][:MOST_PROJECTS]


def places(actor: Actor, member: MemberView, roles: Sequence[RoleChoice]) -> list[Place]:
    """Return where the actor may change a member's role: the whole team, then the projects, held ones first."""
    held = {h.project_id: h.role for h in member.roles}
    found = []
    if actor.may(Permission.TEAM_MANAGE):
        found.append(_place(actor, "tenant", "Whole team", None, held.get(None), roles))
    managed = {p.id: p for p in managed_projects(actor)}
    elsewhere = {p for p in held if p and p not in managed and actor.may(Permission.TEAM_MANAGE, p)}
    if elsewhere:
        managed |= projects_by_id(actor, elsewhere)
    ordered = sorted(managed.values(), key=lambda p: (p.id not in held, p.name))
    found += [_place(actor, f"p-{p.id}", p.name, p.id, held.get(p.id), roles) for p in ordered]
    return [p for p in found if len(p.choices) > 1]


def _place(
    actor: Actor, field: str, name: str, key: uuid.UUID | None, now: RoleChoice | None, roles: Sequence[RoleChoice]
) -> Place:
    may = grantable(actor, roles, key)
    if now is not None and now.key not in {r.key for r in may}:
        # A role wider than the reader's own: shown, and not theirs to change.
        return Place(field, name, now.key, [(now.key, role_name(now))], key)
    none = "No role in the whole team" if key is None else "No role here"
    return Place(field, name, now.key if now else "", [("", none), *((r.key, role_name(r)) for r in may)], key)
