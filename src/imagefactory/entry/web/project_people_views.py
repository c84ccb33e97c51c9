"""The people of a project: who may do what in it, and why; giving, changing and taking away roles."""

from __future__ import annotations

import re
import uuid
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_http_methods

from imagefactory.domain.identity import services
from imagefactory.domain.identity.permissions import Permission
from imagefactory.domain.identity.policies import may
from imagefactory.domain.identity.selectors.members import members_without, people_of_project
from imagefactory.domain.identity.selectors.roles import role_choices
from imagefactory.domain.projects.selectors import ProjectView, get_project
from imagefactory.entry.http.actors import actor_of
from imagefactory.entry.web import people_rows, show
from imagefactory.entry.web.forms import Form, typed
from imagefactory.kernel.actor import Actor
from imagefactory.kernel.authorize import authorize
from imagefactory.kernel.errors import Conflict, ValidationFailed


def _rows(actor: Actor, project: ProjectView) -> list[dict[str, Any]]:
    """Return a line for each person: what they have here, and the roles that the reader may give them instead."""
    may_give = people_rows.grantable(actor, role_choices(actor), project.id)
    options = [(r.key, people_rows.role_name(r)) for r in may_give]
    rows = []
    for m in people_of_project(actor, project.id):
        here = next((h.role for h in m.roles if h.project_id == project.id), None)
        wide = next((h.role for h in m.roles if h.project_id is None), None)
        why = []
        if wide is not None:
            why.append("Owner of the team" if wide.is_owner else f"{wide.name} in the whole team")
        if here is not None:
            why.append(f"{people_rows.role_name(here)} here")
        fixed = here is not None and here.key not in {key for key, _ in options}
        rows.append({
            "m": m, "why": ", ".join(why), "key": here.key if here else "", "me": m.id == actor.user_id, "wide": wide,
            "options": [] if fixed or here is None else options, "url": f"/t/{actor.tenant_slug}/people/{m.id}",
        })  # fmt: skip
    return rows


@require_http_methods(["GET", "POST"])
def project_people(request: HttpRequest, tenant: str, project: str) -> HttpResponse:
    actor = actor_of(request, tenant)
    found = get_project(actor, project)
    manages = actor.may(Permission.TEAM_MANAGE, found.id)
    form = Form({"role": "member"})
    if request.method == "POST":
        authorize(may(actor, Permission.TEAM_MANAGE, found.id))
        form = Form(typed(request.POST, "person", "role"))
        try:
            who = form.value("person")
            if not re.fullmatch("[0-9a-f-]{36}", who):
                raise ValidationFailed({"person": ["Choose someone of the team."]})  # noqa: TRY301 - told in the form
            services.set_project_role(actor, uuid.UUID(who), found.id, form.value("role") or None)
            messages.success(request, "The role is saved. It holds from the next request on.")
            return redirect(request.path if actor_may_still(actor, who) else f"/t/{tenant}/projects")
        except ValidationFailed as error:
            form = Form(form.values, error.fields)
        except Conflict as error:
            form = Form(form.values, {"person": [error.message]})
    roles = people_rows.grantable(actor, role_choices(actor), found.id)
    page = {
        "project": found, "tab": "settings", "section": "people", "base": f"/t/{tenant}/p/{found.slug}/",
        "may_edit": actor.may(Permission.SETTINGS_EDIT, found.id),
        "may_delete": actor.may(Permission.PROJECT_DELETE, found.id), "manages": manages, "form": form,
        "rows": _rows(actor, found), "others": [("", "Choose someone"), *members_without(actor, found.id)] if manages else [],
        "choices": [(r.key, people_rows.role_name(r)) for r in roles],
    }  # fmt: skip
    return show.page(request, "settings_people.html", page, status=form.status)


def actor_may_still(actor: Actor, changed: str) -> bool:
    """Whether the page can be shown again: not to someone who just took away their own role."""
    return str(actor.user_id) != changed or actor.may(Permission.PROJECT_VIEW)
