"""One's own account: profile, password, API keys, appearance."""

from __future__ import annotations

import re
import uuid

from django.contrib import messages
from django.contrib.auth import get_user_model, update_session_auth_hash
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_http_methods

from imagefactory.domain.identity import selectors, services
from imagefactory.domain.identity.errors import KeyNotFound
from imagefactory.entry.web import show
from imagefactory.entry.web.forms import Form, typed
from imagefactory.entry.web.persons import person_in_tenant as _actor
from imagefactory.entry.web.rights import LABELS
from imagefactory.kernel import env
from imagefactory.kernel.actor import Actor
from imagefactory.kernel.errors import ValidationFailed

KEY_DAYS = (("7", "7 days"), ("30", "30 days"), ("90", "90 days"), ("366", "1 year"))


def _back(actor: Actor, section: str) -> HttpResponse:
    return redirect(f"/me/{section}?tenant={actor.tenant_slug}" if actor.tenant_slug else f"/me/{section}")


@require_http_methods(["GET", "POST"])
def profile(request: HttpRequest) -> HttpResponse:
    actor = _actor(request)
    me = selectors.person(actor.person)
    form = Form({"name": me.name, "time_zone": me.time_zone} if me else {})
    if request.method == "POST":
        form = Form(typed(request.POST, "name", "time_zone"))
        try:
            services.update_profile(actor, name=form.value("name"), time_zone=form.value("time_zone"))
            messages.success(request, "Your profile is saved.")
            return _back(actor, "profile")
        except ValidationFailed as error:
            form = Form(form.values, error.fields)
    page = {"form": form, "section": "profile", "zones": selectors.time_zones(), "email": actor.email}
    return show.page(request, "me_profile.html", page, status=form.status)


@require_http_methods(["GET", "POST"])
def password(request: HttpRequest) -> HttpResponse:
    actor, form = _actor(request), Form()
    if request.method == "POST":
        try:
            services.change_password(
                actor, old=request.POST.get("old_password", ""), new=request.POST.get("new_password", "")
            )
            # This browser stays signed in; all others end with the old password's hash.
            update_session_auth_hash(request, get_user_model().objects.get(pk=actor.person))
            messages.success(request, "Your password is changed. All other sessions and API sign-ins have ended.")
            return _back(actor, "password")
        except ValidationFailed as error:
            form = Form({}, error.fields)
    return show.page(request, "me_password.html", {"form": form, "section": "password"}, status=form.status)


@require_http_methods(["GET", "POST"])
def keys(request: HttpRequest) -> HttpResponse:
    actor, form, made = _actor(request), Form({"days": "90"}), ""
    scopes = request.POST.getlist("scopes")
    if request.method == "POST":
        form = Form(typed(request.POST, "name", "days"))
        try:
            days = int(form.value("days")) if re.fullmatch("[0-9]{1,5}", form.value("days")) else 0
            wanted = scopes if request.POST.get("limit") == "some" else None
            _, made = services.create_api_key(actor, name=form.value("name"), scopes=wanted, days=days)
            form = Form({"days": form.value("days")})
        except ValidationFailed as error:
            form = Form(form.values, error.fields)
    page = {
        "form": form, "section": "keys", "keys": selectors.keys_of(actor) if actor.tenant_id else [],
        "made": made, "days": KEY_DAYS, "host": env.get().host, "url": env.get().public_url,
        "permissions": [(str(p), label, str(p) in scopes) for p, label in LABELS.items()], "some": request.POST.get("limit") == "some",
    }  # fmt: skip
    return show.page(request, "me_keys.html", page, status=form.status)


@require_http_methods(["GET", "POST"])
def revoke_key(request: HttpRequest, key_id: uuid.UUID) -> HttpResponse:
    """Say what the revocation would do, and do it when that page is sent."""
    actor = _actor(request)
    if request.method == "GET":
        key = next((k for k in selectors.keys_of(actor) if k.id == key_id), None)
        if key is None:
            raise KeyNotFound
        return show.page(request, "me_key_revoke.html", {"section": "keys", "form": Form(), "key": key})
    services.revoke_api_key(actor, key_id)
    messages.success(request, "The key is revoked. It stopped working at once.")
    return _back(actor, "keys")


@require_http_methods(["GET"])
def appearance(request: HttpRequest) -> HttpResponse:
    _actor(request)
    page = {
        "section": "appearance", "form": Form(),
        "themes": [("system", "As the system"), ("light", "Light"), ("dark", "Dark")],
        "densities": [("compact", "Compact"), ("comfortable", "Comfortable")],
        "key_choices": [("on", "On"), ("off", "Off")],
    }  # fmt: skip
    return show.page(request, "me_appearance.html", page)
