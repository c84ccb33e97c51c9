"""Asking for access, and the answer."""

from __future__ import annotations

import uuid
from typing import Any

from django.http import HttpRequest
from ninja import Router, Status

from imagefactory.domain.identity import services
from imagefactory.domain.identity.selectors.access_requests import AccessRequestView, list_access_requests
from imagefactory.domain.projects.selectors import get_project, projects_by_id
from imagefactory.entry.api import schemas as s
from imagefactory.entry.api import team_schemas as t
from imagefactory.entry.api.security import actor, needs
from imagefactory.kernel.actor import Actor

router = Router(tags=["access-requests"])


def _out(a: Actor, found: list[AccessRequestView]) -> list[dict[str, Any]]:
    wanted = {r.project_id for r in found if r.project_id}
    projects = projects_by_id(a, wanted) if wanted else {}
    return [
        {
            "id": r.id, "user_id": r.user_id, "user_name": r.user_name, "permission": r.permission,
            "project": projects[r.project_id].slug if r.project_id in projects else None, "message": r.message,
            "state": r.state, "reason": r.reason, "decided_by": r.decided_by, "created_at": r.created_at,
        }
        for r in found
    ]  # fmt: skip


@router.get("", response=t.AccessesOut, openapi_extra=needs("member"))
def list_all(request: HttpRequest, state: s.Text = "") -> Any:
    """Return the requests that one may decide, and one's own; `state` is open, granted or declined."""
    a = actor(request)
    return {"items": _out(a, list_access_requests(a, state=state[:20]))}


@router.post("", response={201: t.AccessOut}, openapi_extra=needs("member"))
def create(request: HttpRequest, body: t.AccessIn) -> Status[Any]:
    """Ask those who can grant it for a permission; once a day for each permission and project."""
    a = actor(request)
    project_id = get_project(a, body.project).id if body.project else None
    made = services.request_access(a, body.permission, project_id, message=body.message)
    return Status(201, _out(a, [made])[0])


@router.post("/{uuid:request_id}/grant", response={204: None}, openapi_extra=needs("team:manage"))
def grant(request: HttpRequest, request_id: uuid.UUID, body: t.GrantIn) -> Status[None]:
    """Grant a request; without a role, the smallest built-in one that adds the permission."""
    a = actor(request)
    project_id = get_project(a, body.project).id if body.project else None
    services.grant_access(a, request_id, role=body.role, project_id=project_id)
    return Status(204, None)


@router.post("/{uuid:request_id}/decline", response={204: None}, openapi_extra=needs("team:manage"))
def decline(request: HttpRequest, request_id: uuid.UUID, body: t.DeclineIn) -> Status[None]:
    """Decline a request; the person is told the reason."""
    services.decline_access(actor(request), request_id, reason=body.reason)
    return Status(204, None)
