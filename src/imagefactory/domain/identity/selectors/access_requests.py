"""Requests for access: as those who can grant them see them, and one's own."""

from __future__ import annotations

import dataclasses
import datetime as dt
import uuid

from django.db.models import Q, QuerySet

from imagefactory.domain.identity.models import AccessRequest
from imagefactory.domain.identity.permissions import Permission
from imagefactory.domain.identity.selectors.tenants import require_tenant
from imagefactory.domain.identity.states import AccessRequestState
from imagefactory.kernel.actor import Actor


@dataclasses.dataclass(frozen=True)
class AccessRequestView:
    """A request for access; `project_id` is None when it is for the whole tenant, or for any project at all."""

    id: uuid.UUID
    user_id: uuid.UUID
    user_name: str
    permission: str
    project_id: uuid.UUID | None
    message: str
    state: str
    reason: str
    decided_by: str
    created_at: dt.datetime
    decided_at: dt.datetime | None


def decidable(actor: Actor) -> QuerySet[AccessRequest]:
    """Return the tenant's requests that the actor may decide; everyone also sees their own."""
    rows = AccessRequest.objects.filter(tenant_id=require_tenant(actor)).select_related("user", "decided_by")
    within = actor.projects_with(str(Permission.TEAM_MANAGE))
    return rows if within is None else rows.filter(project_id__in=within)


def view_request(row: AccessRequest) -> AccessRequestView:
    return AccessRequestView(
        row.id, row.user_id, row.user.name, row.permission, row.project_id, row.message, row.state, row.reason,
        row.decided_by.name if row.decided_by else "", row.created_at, row.decided_at,
    )  # fmt: skip


def list_access_requests(actor: Actor, *, state: str = "", limit: int = 100) -> list[AccessRequestView]:
    """Return requests that the actor may decide, and their own, newest first."""
    mine = AccessRequest.objects.filter(tenant_id=require_tenant(actor), user_id=actor.person)
    ids = Q(id__in=decidable(actor).values("id")) | Q(id__in=mine.values("id"))
    rows = AccessRequest.objects.filter(ids).select_related("user", "decided_by").order_by("-id")
    if state:
        rows = rows.filter(state=state)
    return [view_request(r) for r in rows[:limit]]


def count_decidable(actor: Actor) -> int:
    """Return how many requests wait for this actor; for the tab."""
    return decidable(actor).filter(state=AccessRequestState.OPEN).count()


def open_request(actor: Actor, permission: str, project_id: uuid.UUID | None) -> AccessRequestView | None:
    """Return the actor's own open request for this permission there, if there is one."""
    rows = AccessRequest.objects.filter(
        tenant_id=actor.tenant,
        user_id=actor.person,
        permission=permission,
        project_id=project_id,
        state=AccessRequestState.OPEN,
    )
    row = rows.select_related("user", "decided_by").first()
    return view_request(row) if row else None
