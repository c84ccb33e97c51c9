"""Which CI jobs a team believes: the list, the form and the end of a rule."""

from __future__ import annotations

import re
import uuid
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_GET, require_http_methods

from imagefactory.domain.identity import selectors, services
from imagefactory.domain.identity.permissions import Permission
from imagefactory.domain.identity.services import CiTrustForm
from imagefactory.domain.projects.selectors import list_projects
from imagefactory.entry.http import role_lines
from imagefactory.entry.http.actors import actor_of
from imagefactory.entry.web import show
from imagefactory.entry.web.forms import Form, typed
from imagefactory.entry.web.navigation import settings_page
from imagefactory.entry.web.rights import LABELS
from imagefactory.entry.web.sign_in_settings.views import refused
from imagefactory.kernel import env
from imagefactory.kernel.actor import Actor
from imagefactory.kernel.errors import Conflict, ValidationFailed

_NAMES = ("name", "issuer", "audience", "claims", "minutes", "enabled")
# What a job needs for the usual: build, watch, and push or pull.
_USUAL = (Permission.BUILD_START, Permission.BUILD_VIEW, Permission.PROJECT_VIEW, Permission.ARTIFACT_DOWNLOAD)


def _page(actor: Actor, **more: Any) -> dict[str, Any]:
    return settings_page(actor, "ci", base=f"/t/{actor.tenant_slug}/settings/ci", **more)


@require_GET
def rules(request: HttpRequest, tenant: str) -> HttpResponse:
    """List the rules."""
    actor = actor_of(request, tenant)
    rows = [(r, ", ".join(f"{k} = {v}" for k, v in r.claims.items())) for r in selectors.list_ci_trust(actor)]
    return show.page(request, "ci_rules.html", _page(actor, rows=rows, form=Form()))


@require_http_methods(["GET", "POST"])
def new(request: HttpRequest, tenant: str) -> HttpResponse:
    """Make a rule."""
    actor = actor_of(request, tenant)
    selectors.list_ci_trust(actor)  # who may not see them may not see the form either
    form = Form({"minutes": "15", "enabled": "1", "audience": env.get().public_url})
    chosen = ({str(p) for p in _USUAL}, set[str]())
    if request.method == "POST":
        form, given, chosen = _read(request)
        try:
            role_lines.own_projects(actor, given.project_ids)
            services.create_ci_trust(actor, given)
            messages.success(request, f"Jobs that fit {given.name} can now get a key.")
            return redirect(f"/t/{tenant}/settings/ci")
        except (ValidationFailed, Conflict) as error:
            form = refused(form, error)
    return _form_page(request, actor, form, *chosen, rule=None)


@require_http_methods(["GET", "POST"])
def rule(request: HttpRequest, tenant: str, trust_id: uuid.UUID) -> HttpResponse:
    """Show and change a rule."""
    actor = actor_of(request, tenant)
    found = selectors.get_ci_trust(actor, trust_id)
    form = Form({
        "name": found.name, "issuer": found.issuer, "audience": found.audience, "minutes": str(found.minutes),
        "claims": "\n".join(f"{k} = {v}" for k, v in found.claims.items()), "enabled": "1" if found.enabled else "",
    })  # fmt: skip
    chosen = (set(found.permissions), {str(p) for p in found.project_ids})
    if request.method == "POST":
        form, given, chosen = _read(request)
        try:
            role_lines.own_projects(actor, given.project_ids)
            services.update_ci_trust(actor, found.id, given)
            messages.success(request, f"{given.name} is saved.")
            return redirect(f"/t/{tenant}/settings/ci")
        except (ValidationFailed, Conflict) as error:
            form = refused(form, error)
    return _form_page(request, actor, form, *chosen, rule=found)


@require_http_methods(["GET", "POST"])
def delete(request: HttpRequest, tenant: str, trust_id: uuid.UUID) -> HttpResponse:
    """Say what the deletion would do, and do it when that page is sent."""
    actor = actor_of(request, tenant)
    found = selectors.get_ci_trust(actor, trust_id)
    if request.method == "GET":
        return show.page(request, "ci_rule_delete.html", _page(actor, rule=found, form=Form()))
    services.delete_ci_trust(actor, found.id)
    messages.success(request, f"{found.name} is deleted: its jobs get no more keys.")
    return redirect(f"/t/{tenant}/settings/ci")


def _uuids(texts: list[str]) -> list[uuid.UUID]:
    return [uuid.UUID(t) for t in texts[:200] if re.fullmatch("[0-9a-f-]{36}", t)]


def _read(request: HttpRequest) -> tuple[Form, CiTrustForm, tuple[set[str], set[str]]]:
    values = typed(request.POST, *_NAMES)
    permissions, projects = request.POST.getlist("permissions")[:100], request.POST.getlist("projects")[:200]
    lines = [line.partition("=") for line in values["claims"].splitlines()[:50] if line.strip()]
    minutes = values["minutes"]
    given = CiTrustForm(
        name=values["name"], issuer=values["issuer"], audience=values["audience"],
        claims={k.strip(): v.strip() for k, _, v in lines}, project_ids=_uuids(projects), permissions=permissions,
        minutes=int(minutes) if re.fullmatch("[0-9]{1,4}", minutes) else 0, enabled=bool(values["enabled"]),
    )  # fmt: skip
    return Form(values), given, (set(permissions), set(projects))


def _form_page(
    request: HttpRequest, actor: Actor, form: Form, permissions: set[str], projects: set[str], *, rule: Any
) -> HttpResponse:
    known, _ = list_projects(actor, limit=200)
    page = _page(
        actor, form=form, rule=rule, enabled=bool(form.value("enabled")),
        projects=[(str(p.id), p.name, str(p.id) in projects) for p in known],
        permissions=[(str(p), label, str(p) in permissions) for p, label in LABELS.items()],
        address=f"{env.get().public_url}/api/v1/auth/ci-token",
    )  # fmt: skip
    return show.page(request, "ci_rule.html", page, status=form.status)
