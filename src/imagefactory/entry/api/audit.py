"""The audit trail: of the tenant, and of the installation for system administrators; as a list and as an export."""

from __future__ import annotations

import datetime as dt
import uuid
from typing import Any

from django.http import HttpRequest, StreamingHttpResponse
from ninja import Query, Router, Schema
from pydantic import Field

from imagefactory.domain.audit import selectors
from imagefactory.domain.audit.selectors import AuditFilter, Scope
from imagefactory.domain.audit.services.export import TYPES, export_entries
from imagefactory.domain.projects.selectors import get_project
from imagefactory.entry.api import schemas as s
from imagefactory.entry.api.security import actor, needs
from imagefactory.entry.http.audit import export_answer
from imagefactory.kernel.actor import Actor
from imagefactory.kernel.clock import with_zone
from imagefactory.kernel.errors import InvalidRequest

router = Router(tags=["audit"])
admin = Router(tags=["admin"])


class AuditQuery(Schema):
    """The filters of a list and of an export."""

    since: dt.datetime | None = Field(None, description="From this time on; without a zone it is UTC.")
    until: dt.datetime | None = Field(None, description="Before this time.")
    user: s.Text = Field("", max_length=200, description="Id of a person or key, e-mail address, or words of a name.")
    action: s.Text = Field("", max_length=80, description="Type of event, or its beginning: build.started, build.")
    kind: s.Text = Field("", max_length=60, description="Kind of object, such as build or project.")
    resource: s.Text = Field("", max_length=200, description="Id of the object.")
    project: s.Text = Field("", max_length=64, description="Slug or id of a project.")
    result: s.Text = Field("", max_length=10, description="done, refused or failed.")
    address: s.Text = Field("", max_length=64, description="Address that the request came from.")
    text: s.Text = Field(
        "",
        max_length=200,
        description="Words of names, ids, reasons, values; with a digit in it or * at its end a beginning.",
    )


def _wanted(a: Actor, q: AuditQuery, *, everywhere: bool = False) -> AuditFilter:
    if q.result and q.result not in selectors.RESULTS:
        raise InvalidRequest("The result is done, refused or failed.")
    project: uuid.UUID | None = None
    if q.project:
        # An administrator of the installation names a project of any tenant by its id.
        project = _id(q.project) if everywhere else get_project(a, q.project).id
    return AuditFilter(
        since=with_zone(q.since), until=with_zone(q.until), user=q.user.strip(), action=q.action.strip(), kind=q.kind.strip(),
        resource=q.resource.strip(), project_id=project, result=q.result, address=q.address.strip(), text=q.text,
    )  # fmt: skip


def _id(text: str) -> uuid.UUID:
    try:
        return uuid.UUID(text)
    except ValueError:
        raise InvalidRequest("Name the project by its id here.") from None


def _list(scope: Scope, wanted: AuditFilter, cursor: str, before: str, limit: int) -> dict[str, Any]:
    page = selectors.list_entries(scope, wanted, before=cursor, after=before, limit=limit)
    total = selectors.total(scope, wanted, page)
    return {
        "items": page.items, "next_cursor": page.older, "previous_cursor": page.newer, "total": total.count,
        "total_is_estimate": total.estimate,
    }  # fmt: skip


@router.get("", response=s.AuditOut, openapi_extra=needs("audit:view"))
def list_audit(
    request: HttpRequest, q: Query[AuditQuery], cursor: s.Text = "", newer: s.Text = "", limit: int = 50
) -> Any:
    """Return audit entries, newest first: an owner's of the tenant, others' of their projects.

    `cursor` is a list's `next_cursor` and leads to older ones, `newer` its `previous_cursor`.
    """
    a = actor(request)
    scope = selectors.tenant_scope(a)
    return _list(scope, _wanted(a, q), cursor, newer, limit)


@router.get("/export", openapi_extra=needs("audit:view"))
def export_audit(request: HttpRequest, q: Query[AuditQuery], format: s.Text = "csv") -> StreamingHttpResponse:  # noqa: A002 - the parameter's name
    """Return all entries that fit as CSV, JSON or JSON lines, in one stream; `X-Total-Count` says how many."""
    a = actor(request)
    scope = selectors.tenant_scope(a)
    return export_answer(*export_entries(a, scope, _wanted(a, q), format), TYPES[format], f"audit.{format}")


@admin.get("/audit", response=s.AuditOut, openapi_extra=needs("administrator, reading"))
def list_all_audit(
    request: HttpRequest, q: Query[AuditQuery], cursor: s.Text = "", newer: s.Text = "", limit: int = 50
) -> Any:
    """Return audit entries of all tenants and of the installation, newest first."""
    a = actor(request)
    scope = selectors.installation_scope(a)
    return _list(scope, _wanted(a, q, everywhere=True), cursor, newer, limit)


@admin.get("/audit/export", openapi_extra=needs("administrator, reading"))
def export_all_audit(request: HttpRequest, q: Query[AuditQuery], format: s.Text = "csv") -> StreamingHttpResponse:  # noqa: A002
    """Return all entries of the installation that fit, in one stream; `X-Total-Count` says how many."""
    a = actor(request)
    scope = selectors.installation_scope(a)
    wanted = _wanted(a, q, everywhere=True)
    return export_answer(*export_entries(a, scope, wanted, format), TYPES[format], f"audit-all.{format}")
