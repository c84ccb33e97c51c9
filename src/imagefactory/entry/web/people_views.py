"""The people of a team: the list, one member with their roles, removal, leaving."""

from __future__ import annotations

import uuid
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_GET, require_http_methods

from imagefactory.domain.builds.selectors import BuildFilter, count_builds
from imagefactory.domain.identity import services
from imagefactory.domain.identity.policies.members import may_leave, may_remove
from imagefactory.domain.identity.policies.roles import may_manage_somewhere
from imagefactory.domain.identity.selectors import owners_of
from imagefactory.domain.identity.selectors.access_requests import count_decidable
from imagefactory.domain.identity.selectors.invitations import count_open_invitations
from imagefactory.domain.identity.selectors.members import (
    MemberView,
    count_members,
    get_member,
    list_members,
    removal_of,
    roles_held,
    sees_addresses,
)
from imagefactory.domain.identity.selectors.roles import role_choices
from imagefactory.domain.projects.selectors import projects_by_id
from imagefactory.entry.http.actors import actor_of
from imagefactory.entry.http.people import projects_of
from imagefactory.entry.web import people_rows, show
from imagefactory.entry.web.forms import Form, typed
from imagefactory.kernel.actor import Actor
from imagefactory.kernel.authorize import authorize
from imagefactory.kernel.errors import Conflict, ValidationFailed

PAGE = 50


def frame(actor: Actor, tab: str, **more: Any) -> dict[str, Any]:
    """Return what every page of a team's people shows: its tabs, and who may manage."""
    manages = may_manage_somewhere(actor) is True
    return {
        "tab": tab, "base": f"/t/{actor.tenant_slug}/people", "manages": manages,
        "invitations_open": count_open_invitations(actor) if manages else 0,
        "requests_open": count_decidable(actor) if manages else 0, "form": Form(), **more,
    }  # fmt: skip


@require_GET
def people(request: HttpRequest, tenant: str) -> HttpResponse:
    actor = actor_of(request, tenant)
    search, role = request.GET.get("q", "")[:100].replace("\0", ""), request.GET.get("role", "")[:40]
    found, after = list_members(actor, search=search, role=role, after=request.GET.get("after", "")[:300], limit=PAGE)
    page = frame(
        actor, "people", rows=people_rows.member_rows(actor, found), search=search, role=role, after=after,
        roles=[(r.key, people_rows.role_name(r)) for r in role_choices(actor)], told=sees_addresses(actor),
        total=count_members(actor, search=search, role=role),
    )  # fmt: skip
    return show.page(request, "people.html", page)


@require_http_methods(["GET", "POST"])
def member(request: HttpRequest, tenant: str, user_id: uuid.UUID) -> HttpResponse:
    """One member: what they may do where, and the one form that changes it."""
    actor = actor_of(request, tenant)
    found = get_member(actor, user_id)
    places = people_rows.places(actor, found, role_choices(actor))
    form = Form({p.field: p.role for p in places})
    if request.method == "POST":
        authorize(may_manage_somewhere(actor))
        form = Form(typed(request.POST, *(p.field for p in places)))
        try:
            services.set_roles(actor, user_id, {p.key: form.value(p.field) for p in places if p.field in request.POST})
            messages.success(request, f"The roles of {found.name} are saved. They hold from the next request on.")
            # Whoever gave up their own role may not see this page's form any more, but still the people.
            return redirect(f"/t/{tenant}/people" if user_id == actor.user_id else request.path)
        except ValidationFailed as error:
            form = Form(form.values, error.fields)
        except Conflict as error:
            form = Form(form.values, {"tenant": [error.message]})
    return show.page(request, "member.html", _member_page(actor, found, places, form), status=form.status)


def _member_page(actor: Actor, found: MemberView, places: list[people_rows.Place], form: Form) -> dict[str, Any]:
    projects = projects_of(actor, [found])
    held = [(people_rows.in_words(h, projects), h.role.description) for h in people_rows.shown_roles(found, projects)]
    theirs = [(h.role, h.project_id) for h in roles_held(actor.tenant, found.id)]
    me = found.id == actor.user_id
    return frame(
        actor, "people", person=found, places=places, form=form, held=held, me=me, told=sees_addresses(actor),
        may_remove=not me and may_remove(actor, theirs) is True, may_leave=me and may_leave(actor) is True,
    )  # fmt: skip


def _consequences(actor: Actor, found: MemberView) -> dict[str, Any]:
    effect = removal_of(actor, found.id)
    running = count_builds(actor, BuildFilter(status="running", author=found.id))
    without = projects_by_id(actor, set(effect.projects_without_admin)).values()
    return {
        "person": found, "keys": effect.keys, "sent": effect.invitations, "last_owner": effect.last_owner,
        "running": running, "without": sorted(p.name for p in without),
    }  # fmt: skip


@require_http_methods(["GET", "POST"])
def remove(request: HttpRequest, tenant: str, user_id: uuid.UUID) -> HttpResponse:
    """Say what the removal would do, and do it when that page is sent."""
    actor = actor_of(request, tenant)
    found = get_member(actor, user_id)
    authorize(may_remove(actor, [(h.role, h.project_id) for h in roles_held(actor.tenant, user_id)]))
    form = Form(typed(request.POST, "reason"))
    if request.method == "POST":
        try:
            services.remove_member(actor, user_id, reason=form.value("reason"))
            messages.success(request, f"{found.name} is removed. Pages, keys and live streams ended for them at once.")
            return redirect(f"/t/{tenant}/people")
        except ValidationFailed as error:
            form = Form(form.values, error.fields)
    page = frame(actor, "people", **_consequences(actor, found)) | {"form": form}
    return show.page(request, "member_remove.html", page, status=form.status)


@require_http_methods(["GET", "POST"])
def leave(request: HttpRequest, tenant: str) -> HttpResponse:
    """Say what leaving would do, and do it when that page is sent."""
    actor = actor_of(request, tenant)
    if request.method == "POST":
        services.leave_team(actor)
        messages.success(request, "You left the team.")
        return redirect("/")
    found = get_member(actor, actor.person)
    owners = [o for o in owners_of(actor.tenant) if o.id != actor.user_id]
    return show.page(request, "leave.html", frame(actor, "people", **_consequences(actor, found), owners=owners))
