"""Roles of a team: the four built-in ones, and its own."""

from __future__ import annotations

import uuid
from typing import Any

from django.http import HttpRequest, HttpResponse
from ninja import Router, Status

from imagefactory.domain.identity import services
from imagefactory.domain.identity.permissions import Role
from imagefactory.domain.identity.policies.roles import builtin
from imagefactory.domain.identity.selectors.roles import RoleView, get_role, list_roles
from imagefactory.entry.api import schemas as s
from imagefactory.entry.api import team_schemas as t
from imagefactory.entry.api.preconditions import if_version
from imagefactory.entry.api.security import actor, needs

router = Router(tags=["roles"])


def _own(role: RoleView) -> dict[str, Any]:
    return {
        "id": role.id, "key": str(role.id), "name": role.name, "description": role.description, "scope": role.scope,
        "permissions": role.permissions, "held": role.held, "version": role.version,
    }  # fmt: skip


@router.get("", response=t.TeamRolesOut, openapi_extra=needs("member"))
def list_all(request: HttpRequest) -> Any:
    """Return every role that can be given here, the built-in ones first."""
    a = actor(request)
    own = [_own(r) for r in list_roles(a)]
    fixed = [builtin(r) for r in Role]
    return {
        "items": [
            {"id": None, "key": r.key, "name": r.name, "description": "", "scope": r.scope,
             "permissions": sorted(r.permissions)}
            for r in fixed
        ] + own
    }  # fmt: skip


@router.post("", response={201: t.RoleOut}, openapi_extra=needs("team:manage"))
def create(request: HttpRequest, body: t.RoleIn) -> Status[Any]:
    """Make a role out of permissions, no wider than what one holds oneself."""
    return Status(201, _own(services.create_role(actor(request), **body.dict())))


@router.get("/{uuid:role_id}", response=t.RoleOut, openapi_extra=needs("member"))
def get(request: HttpRequest, response: HttpResponse, role_id: uuid.UUID) -> Any:
    """Return one of the team's own roles, with its version as ETag."""
    found = get_role(actor(request), role_id)
    response["ETag"] = f'"{found.version}"'
    return _own(found)


@router.patch("/{uuid:role_id}", response=t.RoleOut, openapi_extra=needs("team:manage"))
def change(request: HttpRequest, response: HttpResponse, role_id: uuid.UUID, body: t.RoleChange) -> Any:
    """Change a role; those who hold it have the new rights from their next request on."""
    a = actor(request)
    before = get_role(a, role_id)
    after = services.update_role(
        a, role_id, name=before.name if body.name is None else body.name,
        description=before.description if body.description is None else body.description,
        permissions=before.permissions if body.permissions is None else body.permissions,
        if_version=if_version(request),
    )  # fmt: skip
    response["ETag"] = f'"{after.version}"'
    return _own(after)


@router.delete("/{uuid:role_id}", response={204: None}, openapi_extra=needs("team:manage"))
def delete(request: HttpRequest, role_id: uuid.UUID, replacement: s.Text = "") -> Status[None]:
    """Delete a role; where people hold it, `replacement` is the key of the role that they have instead."""
    a = actor(request)
    get_role(a, role_id)
    services.delete_role(a, role_id, replacement=replacement[:40])
    return Status(204, None)
