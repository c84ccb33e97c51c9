"""Members of a team, their roles, and the people of a project."""

from __future__ import annotations

import uuid
from typing import Any

from django.http import HttpRequest
from ninja import Router, Status

from imagefactory.domain.identity import services
from imagefactory.domain.identity.selectors.members import (
    MemberView,
    count_members,
    get_member,
    list_members,
    removal_of,
)
from imagefactory.domain.projects.selectors import get_project, projects_by_id
from imagefactory.entry.api import schemas as s
from imagefactory.entry.api import team_schemas as t
from imagefactory.entry.api.security import actor, needs
from imagefactory.entry.http.people import project_ids, projects_of
from imagefactory.kernel.actor import Actor

router = Router(tags=["members"])
of_project = Router(tags=["members"])


def _out(a: Actor, members: list[MemberView]) -> list[dict[str, Any]]:
    projects = projects_of(a, members)
    return [
        {
            "id": m.id, "name": m.name, "email": m.email, "joined_at": m.joined_at, "invited_by": m.invited_by,
            "last_active_at": m.last_active_at,
            "second_factor": m.second_factor,
            "roles": [
                {"role": h.role.name, "role_id": h.role.custom_id,
                 "project": projects[h.project_id].slug if h.project_id else None}
                for h in m.roles if h.project_id is None or h.project_id in projects
            ],
        }
        for m in members
    ]  # fmt: skip


@router.get("", response=t.MembersOut, openapi_extra=needs("member"))
def list_team(
    request: HttpRequest,
    search: s.Text = "",
    role: s.Text = "",
    project: s.Text = "",
    cursor: s.Text = "",
    limit: int = 50,
) -> Any:
    """Return members by name. Addresses and last activity are told to those who manage a team."""
    a = actor(request)
    within = get_project(a, project).id if project else None
    most = max(1, min(limit, 200))
    found, after = list_members(a, search=search, role=role, project_id=within, after=cursor[:400], limit=most)
    total = count_members(a, search=search, role=role, project_id=within)
    return {"items": _out(a, found), "next_cursor": after, "total": total}


@router.post("/leave", response={204: None}, openapi_extra=needs("member"))
def leave(request: HttpRequest) -> Status[None]:
    """Leave this team oneself; the last owner cannot."""
    services.leave_team(actor(request))
    return Status(204, None)


@router.get("/{uuid:user_id}", response=t.MemberOut, openapi_extra=needs("member"))
def member(request: HttpRequest, user_id: uuid.UUID) -> Any:
    """Return one member."""
    a = actor(request)
    return _out(a, [get_member(a, user_id)])[0]


@router.put("/{uuid:user_id}/roles", response=t.MemberOut, openapi_extra=needs("team:manage"))
def set_roles(request: HttpRequest, user_id: uuid.UUID, body: t.RolesIn) -> Any:
    """Set a member's role in the team and in projects, all at once; what is not named stays."""
    a = actor(request)
    get_member(a, user_id)
    ids = project_ids(a, body.projects)
    wanted: dict[uuid.UUID | None, str] = dict(zip(ids, body.projects.values(), strict=True))
    if body.tenant is not None:
        wanted[None] = body.tenant
    services.set_roles(a, user_id, wanted)
    return _out(a, [get_member(a, user_id)])[0]


@router.get("/{uuid:user_id}/removal", response=t.RemovalOut, openapi_extra=needs("team:manage"))
def removal(request: HttpRequest, user_id: uuid.UUID) -> Any:
    """Say what the removal of a member would do."""
    a = actor(request)
    found = removal_of(a, user_id)
    without = projects_by_id(a, set(found.projects_without_admin)).values()
    return {
        "keys": found.keys, "invitations": found.invitations, "last_owner": found.last_owner,
        "projects_without_admin": sorted(p.slug for p in without),
    }  # fmt: skip


@router.delete("/{uuid:user_id}", response={204: None}, openapi_extra=needs("team:manage"))
def remove(request: HttpRequest, user_id: uuid.UUID, reason: s.Text = "") -> Status[None]:
    """Remove a member: pages, keys and live streams of this team end for them at once."""
    a = actor(request)
    get_member(a, user_id)
    services.remove_member(a, user_id, reason=reason)
    return Status(204, None)


@of_project.get("/{project}/members", response=t.MembersOut, openapi_extra=needs("project:view"))
def list_project_members(request: HttpRequest, project: s.Text, cursor: s.Text = "", limit: int = 50) -> Any:
    """Return who has a role in a project; owners of the team may do everything in it besides."""
    a = actor(request)
    within = get_project(a, project).id
    found, after = list_members(a, project_id=within, after=cursor[:400], limit=max(1, min(limit, 200)))
    return {"items": _out(a, found), "next_cursor": after, "total": count_members(a, project_id=within)}


@of_project.put("/{project}/members/{uuid:user_id}", response=t.MemberOut, openapi_extra=needs("team:manage"))
def set_project_member(request: HttpRequest, project: s.Text, user_id: uuid.UUID, body: t.RoleKeyIn) -> Any:
    """Give a member of the team a role in a project."""
    a = actor(request)
    within = get_project(a, project).id
    get_member(a, user_id)
    services.set_project_role(a, user_id, within, body.role)
    return _out(a, [get_member(a, user_id)])[0]


@of_project.delete("/{project}/members/{uuid:user_id}", response={204: None}, openapi_extra=needs("team:manage"))
def remove_project_member(request: HttpRequest, project: s.Text, user_id: uuid.UUID) -> Status[None]:
    """Take a member's role in a project away; they stay in the team."""
    a = actor(request)
    within = get_project(a, project).id
    get_member(a, user_id)
    services.set_project_role(a, user_id, within, None)
    return Status(204, None)
