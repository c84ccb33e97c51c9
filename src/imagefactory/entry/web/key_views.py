"""One's own API keys: making, rotating and revoking them."""

from __future__ import annotations

import uuid
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_http_methods

from imagefactory.domain.identity import selectors, services
from imagefactory.domain.identity.permissions import Permission
from imagefactory.entry.web import key_forms as forms
from imagefactory.entry.web import show
from imagefactory.entry.web.forms import Form, typed
from imagefactory.entry.web.persons import person_in_tenant
from imagefactory.kernel import env
from imagefactory.kernel.actor import Actor
from imagefactory.kernel.errors import ValidationFailed


def _page(actor: Actor, request: HttpRequest, form: Form, made: str = "") -> HttpResponse:
    inside = actor.tenant_id is not None
    sent = request.POST if form.errors else None
    page: dict[str, Any] = {
        "form": form, "section": "keys", "made": made, "host": env.get().host, "url": env.get().public_url,
        "rows": forms.key_rows(actor, selectors.keys_of(actor)) if inside else [],
        "choices": forms.choices(actor, sent) if inside else None,
        "days_max_text": str(selectors.key_days_max(actor.tenant)),
        "oversees": actor.may(Permission.TEAM_MANAGE),
    }  # fmt: skip
    return show.page(request, "me_keys.html", page, status=form.status)


@require_http_methods(["GET", "POST"])
def keys(request: HttpRequest) -> HttpResponse:
    actor, made = person_in_tenant(request), ""
    form = Form({"days": str(min(90, selectors.key_days_max(actor.tenant)))})
    if request.method == "POST":
        form = Form(typed(request.POST, "name", "note", "days"))
        try:
            _, made = services.create_api_key(
                actor, name=form.value("name"), note=form.value("note"), days=forms.number(form.value("days")),
                scopes=forms.wanted_scopes(request.POST), project_ids=forms.wanted_projects(actor, request.POST),
            )  # fmt: skip
            form = Form({"days": form.value("days")})
        except ValidationFailed as error:
            form = Form(form.values, error.fields)
    return _page(actor, request, form, made)


@require_http_methods(["GET", "POST"])
def rotate_key(request: HttpRequest, key_id: uuid.UUID) -> HttpResponse:
    """Ask how long the old key is to work on, and show the new one when that is sent."""
    actor = person_in_tenant(request)
    key, form = selectors.own_key(actor, key_id), Form({"overlap_hours": "24"})
    if request.method == "POST":
        form = Form(typed(request.POST, "overlap_hours"))
        try:
            _, made = services.rotate_key(actor, key_id, overlap_hours=forms.number(form.value("overlap_hours")))
            return _page(actor, request, Form({"days": "90"}), made)
        except ValidationFailed as error:
            form = Form(form.values, error.fields)
    page = {"section": "keys", "form": form, "key": key, "overlaps": forms.OVERLAPS}
    return show.page(request, "me_key_rotate.html", page, status=form.status)


@require_http_methods(["GET", "POST"])
def revoke_key(request: HttpRequest, key_id: uuid.UUID) -> HttpResponse:
    """Say what the revocation would do, and do it when that page is sent."""
    actor = person_in_tenant(request)
    key = selectors.own_key(actor, key_id)
    if request.method == "GET":
        return show.page(request, "me_key_revoke.html", {"section": "keys", "form": Form(), "key": key})
    services.revoke_api_key(actor, key_id)
    messages.success(request, "The key is revoked. It stopped working at once.")
    return redirect(f"/me/keys?tenant={actor.tenant_slug}")
