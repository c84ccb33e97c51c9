"""Roles of a team: the built-in ones and its own as one table; making, changing and deleting its own."""

from __future__ import annotations

import uuid
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_GET, require_http_methods

from imagefactory.domain.identity import services
from imagefactory.domain.identity.errors import RoleHeld
from imagefactory.domain.identity.permissions import TENANT_ONLY, Role
from imagefactory.domain.identity.policies.roles import builtin, may_define_role, may_manage_somewhere
from imagefactory.domain.identity.selectors.roles import (
    RoleView,
    get_role,
    holders_of,
    list_roles,
    places_of,
    role_choices,
)
from imagefactory.domain.identity.states import RoleScope
from imagefactory.domain.projects.selectors import projects_by_id
from imagefactory.entry.http.actors import actor_of
from imagefactory.entry.web import people_rows, show
from imagefactory.entry.web.forms import Form, typed, version_of
from imagefactory.entry.web.navigation import settings_page
from imagefactory.entry.web.rights import LABELS
from imagefactory.kernel.actor import Actor
from imagefactory.kernel.authorize import authorize
from imagefactory.kernel.errors import Conflict, ValidationFailed

SCOPES = (("project", "In projects, assigned one by one"), ("tenant", "In the whole team"))


@require_GET
def roles(request: HttpRequest, tenant: str) -> HttpResponse:
    actor = actor_of(request, tenant)
    own = list_roles(actor)
    columns = [(r.capitalize(), builtin(r).permissions) for r in Role] + [
        (r.name, frozenset(r.permissions)) for r in own
    ]
    matrix = [(label, str(p), [p in held for _, held in columns]) for p, label in LABELS.items()]
    page = settings_page(
        actor, "roles", manages=may_manage_somewhere(actor) is True, own=own, roles=[name for name, _ in columns], matrix=matrix,
    )  # fmt: skip
    return show.page(request, "roles.html", page)


def _permissions(actor: Actor, chosen: set[str]) -> list[dict[str, Any]]:
    return [
        {"key": str(p), "label": label, "on": str(p) in chosen, "tenant_only": p in TENANT_ONLY,
         "mine": actor.may_anywhere(p)}
        for p, label in LABELS.items()
    ]  # fmt: skip


@require_http_methods(["GET", "POST"])
def new_role(request: HttpRequest, tenant: str) -> HttpResponse:
    actor = actor_of(request, tenant)
    authorize(may_manage_somewhere(actor))
    chosen, form = request.POST.getlist("permissions")[:50], Form({"scope": "project"})
    if request.method == "POST":
        form = Form(typed(request.POST, "name", "description", "scope"))
        try:
            made = services.create_role(actor, permissions=chosen, **form.values)
            messages.success(request, f"The role {made.name} is made. It can be given on the page of a member.")
            return redirect(f"/t/{tenant}/settings/roles")
        except ValidationFailed as error:
            form = Form(form.values, error.fields)
    page = settings_page(actor, "roles", permissions=_permissions(actor, set(chosen)), scopes=SCOPES, form=form)
    return show.page(request, "role_new.html", page, status=form.status)


def _holders(actor: Actor, role: RoleView) -> list[tuple[str, str]]:
    held = holders_of(actor, role.id)
    projects = projects_by_id(actor, {h.project_id for h in held if h.project_id})
    return [(h.name, projects[h.project_id].name if h.project_id else "whole team") for h in held]


@require_http_methods(["GET", "POST"])
def role(request: HttpRequest, tenant: str, role_id: uuid.UUID) -> HttpResponse:
    """One role, who holds it, and its form. A change is shown as a difference first, with whom it touches."""
    actor = actor_of(request, tenant)
    found = get_role(actor, role_id)
    verdict = may_define_role(actor, found.name, found.scope, found.permissions, places_of(found.id))
    form = Form({"name": found.name, "description": found.description, "version": str(found.version)})
    chosen, diff = set(found.permissions), None
    if request.method == "POST":
        authorize(verdict)
        form = Form(typed(request.POST, "name", "description", "version"))
        chosen = set(request.POST.getlist("permissions")[:50])
        gained, lost = chosen - set(found.permissions), set(found.permissions) - chosen
        if (gained or lost) and "confirmed" not in request.POST:
            diff = [[label for p, label in LABELS.items() if p in side] for side in (gained, lost)]
        else:
            try:
                services.update_role(
                    actor, role_id, name=form.value("name"), description=form.value("description"), permissions=chosen,
                    if_version=version_of(request.POST),
                )  # fmt: skip
                messages.success(request, f"The role {form.value('name')} is saved. It holds from the next request on.")
                return redirect(f"/t/{tenant}/settings/roles")
            except ValidationFailed as error:
                form = Form(form.values, error.fields)
            except Conflict as error:
                form = Form(form.values, {"name": [error.message]})
    page = settings_page(
        actor, "roles", role=found, permissions=_permissions(actor, chosen), holders=_holders(actor, found), diff=diff,
        may_edit=verdict is True, why=f"{verdict.reason} {verdict.granted_by}" if verdict is not True else "",
        scope=dict(SCOPES)[found.scope], form=form, manages=may_manage_somewhere(actor) is True,
    )  # fmt: skip
    return show.page(request, "role.html", page, status=form.status)


@require_http_methods(["GET", "POST"])
def delete_role(request: HttpRequest, tenant: str, role_id: uuid.UUID) -> HttpResponse:
    """Say who holds the role and what they have instead, and delete it when that page is sent."""
    actor = actor_of(request, tenant)
    found = get_role(actor, role_id)
    authorize(may_define_role(actor, found.name, found.scope, found.permissions, places_of(found.id)))
    form = Form(typed(request.POST, "replacement"))
    if request.method == "POST":
        try:
            services.delete_role(actor, role_id, replacement=form.value("replacement"))
            messages.success(request, f"The role {found.name} is deleted.")
            return redirect(f"/t/{tenant}/settings/roles")
        except ValidationFailed as error:
            form = Form(form.values, error.fields)
        except RoleHeld as error:
            form = Form(form.values, {"replacement": [error.message]})
    others = [
        r for r in role_choices(actor) if r.tenant_wide is (found.scope == RoleScope.TENANT) and r.custom_id != found.id
    ]
    choices = [("", "Choose a role"), *((r.key, people_rows.role_name(r)) for r in others)]
    page = settings_page(actor, "roles", role=found, holders=_holders(actor, found), choices=choices, form=form)
    return show.page(request, "role_delete.html", page, status=form.status)
