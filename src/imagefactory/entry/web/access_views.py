"""Asking for access, and deciding about it."""

from __future__ import annotations

import uuid

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from imagefactory.domain.identity import services
from imagefactory.domain.identity.permissions import Permission
from imagefactory.domain.identity.policies.roles import may_manage_somewhere
from imagefactory.domain.identity.selectors.access_requests import list_access_requests, open_request
from imagefactory.domain.identity.selectors.members import smallest_role_with, who_can_grant
from imagefactory.domain.identity.selectors.roles import role_choices
from imagefactory.domain.identity.states import AccessRequestState
from imagefactory.domain.projects.selectors import get_project, projects_by_id
from imagefactory.entry.http.actors import actor_of
from imagefactory.entry.web import people_rows, show
from imagefactory.entry.web.forms import Form, typed
from imagefactory.entry.web.people_views import frame
from imagefactory.entry.web.rights import LABELS
from imagefactory.kernel.actor import Actor
from imagefactory.kernel.authorize import authorize
from imagefactory.kernel.errors import Conflict, RateLimited, ValidationFailed


def in_words(permission: str) -> str:
    """Return a permission as people say it; an unknown one as it stands."""
    return LABELS[Permission(permission)] if permission in set(Permission) else permission


@require_http_methods(["GET", "POST"])
def ask(request: HttpRequest, tenant: str) -> HttpResponse:
    """Ask for a permission, in a project or in any; those who can grant it are named and told."""
    actor = actor_of(request, tenant)
    given = request.POST if request.method == "POST" else request.GET
    form, status = Form(typed(given, "permission", "project", "message")), 200
    form = Form({**form.values, "permission": form.value("permission") or str(Permission.PROJECT_VIEW)})
    project = get_project(actor, form.value("project")[:64]) if form.value("project") else None
    place = project.id if project else None
    if request.method == "POST":
        try:
            services.request_access(actor, form.value("permission"), place, message=form.value("message"))
            messages.success(request, "Your request is sent. You are told when someone has decided.")
            return redirect(f"/t/{tenant}/")
        except ValidationFailed as error:
            form, status = Form(form.values, error.fields), 422
        except (Conflict, RateLimited) as error:
            form = Form(form.values, {"message": [error.message]})
            status = 429 if isinstance(error, RateLimited) else 409
    permission = form.value("permission")
    page = frame(
        actor, "people", project=project, what=in_words(permission), deciders=who_can_grant(actor.tenant, permission, place),
        waiting=open_request(actor, permission, place) if request.method == "GET" else None,
    ) | {"form": form}  # fmt: skip
    return show.page(request, "access_ask.html", page, status=status)


@require_GET
def requests(request: HttpRequest, tenant: str) -> HttpResponse:
    actor = actor_of(request, tenant)
    authorize(may_manage_somewhere(actor))
    return _list(request, actor, Form())


def _list(request: HttpRequest, actor: Actor, form: Form, status: int = 200) -> HttpResponse:
    state = "" if request.GET.get("state") == "all" else "open"
    # One's own are on the page that asked; here are those to decide.
    found = [r for r in list_access_requests(actor, state=state) if r.user_id != actor.user_id]
    projects = projects_by_id(actor, {r.project_id for r in found if r.project_id})
    managed, roles = people_rows.managed_projects(actor), role_choices(actor)
    rows = []
    for r in found:
        place = projects.get(r.project_id) if r.project_id else None
        could = people_rows.invitable(actor, roles, [place] if place else managed)
        fitting = [c for c in could if r.permission in c.permissions]
        suggested = str(smallest_role_with(r.permission, frozenset()) or "")
        rows.append({
            "r": r, "what": in_words(r.permission), "place": place.name if place else "", "suggested": suggested,
            "roles": [(c.key, people_rows.role_name(c)) for c in fitting],
            "needs_project": place is None and bool(suggested), "open": r.state == AccessRequestState.OPEN,
        })  # fmt: skip
    page = frame(actor, "requests", rows=rows, projects=managed, all=not state) | {"form": form}
    return show.page(request, "access_requests.html", page, status=status)


@require_POST
def decide(request: HttpRequest, tenant: str, request_id: uuid.UUID) -> HttpResponse:
    """Grant or decline, as the button says."""
    actor = actor_of(request, tenant)
    values = typed(request.POST, "role", "project", "reason")
    try:
        if "grant" in request.POST:
            project_id = get_project(actor, values["project"][:64]).id if values["project"] else None
            role = services.grant_access(actor, request_id, role=values["role"][:40], project_id=project_id)
            messages.success(request, f"Granted: the person has the role {role} now, and is told.")
        else:
            services.decline_access(actor, request_id, reason=values["reason"])
            messages.success(request, "Declined. The person is told.")
    except ValidationFailed as error:
        return _list(
            request, actor, Form({}, {f"{name}-{request_id}": said for name, said in error.fields.items()}), 422
        )
    except Conflict as error:
        return _list(request, actor, Form({}, {"requests": [error.message]}), 409)
    return redirect(f"/t/{tenant}/people/requests")
