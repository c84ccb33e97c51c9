"""What protects one's account: the second factors, the recovery codes, the e-mail address."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.utils.html import escape
from django.views.decorators.http import require_GET, require_http_methods

from imagefactory.domain.identity import selectors, services
from imagefactory.domain.identity.errors import FactorNotFound
from imagefactory.entry.web import show
from imagefactory.entry.web.forms import Form, typed
from imagefactory.entry.web.signin import door, qr, webauthn
from imagefactory.entry.web.signin.me import back, own_actor
from imagefactory.kernel.actor import Actor
from imagefactory.kernel.errors import Conflict, Unauthorized, ValidationFailed


@require_GET
def security(request: HttpRequest) -> HttpResponse:
    actor = own_actor(request)
    page = {
        "section": "security", "form": Form(), "has": selectors.second_factors(actor),
        "wanted_by": selectors.tenants_that_want_a_factor(actor), "obstacle": webauthn.obstacle(),
    }  # fmt: skip
    return show.page(request, "me_security.html", page)


@require_GET
def required(request: HttpRequest) -> HttpResponse:
    """Lead someone to a second factor whom a tenant does not let in without one."""
    actor = own_actor(request)
    wanted_by = selectors.tenants_that_want_a_factor(actor)
    if not wanted_by or selectors.second_factors(actor).any:
        return back(actor, "security")
    page = {
        "section": "security", "form": Form(), "wanted_by": wanted_by,
        "obstacle": webauthn.obstacle(),
    }  # fmt: skip
    return show.page(request, "me_security_required.html", page)


def _proof(actor: Actor) -> dict[str, object]:
    """Return what the block that asks for the password needs."""
    return {"ask_password": not selectors.is_fresh(actor)}


def _show_codes(request: HttpRequest, actor: Actor, codes: list[str], done: str) -> HttpResponse:
    door.rotate(request)
    if not codes:
        messages.success(request, done)
        return back(actor, "security")
    # Shown in the answer itself: nothing keeps them anywhere to be shown again.
    page = {"section": "security", "form": Form(), "codes": codes, "done": done, "file": qr.text_file(codes)}
    return show.page(request, "me_security_codes.html", page)


@require_http_methods(["GET", "POST"])
def add_app(request: HttpRequest) -> HttpResponse:
    """Show the key of a new authenticator app, and take its first code."""
    actor, form = own_actor(request), Form()
    begun = services.resume_app(actor, request.POST.get("setup", "")[:2000]) or services.begin_app(actor)
    if request.method == "POST":
        try:
            services.prove_again(actor, request.POST.get("password", ""))
            codes = services.confirm_app(
                actor, setup=request.POST.get("setup", "")[:2000], code=typed(request.POST, "code")["code"]
            )
            return _show_codes(request, actor, codes, "The authenticator app is set up.")
        except ValidationFailed as error:
            form = Form({}, error.fields)
        except Conflict as error:
            form = Form({}, {"code": [error.message]})
    page = {"section": "security", "form": form, "begun": begun, "picture": qr.svg(begun.uri)} | _proof(actor)
    return show.page(request, "me_security_app.html", page, status=form.status)


@require_http_methods(["GET", "POST"])
def add_key(request: HttpRequest) -> HttpResponse:
    """Register a security key, or a passkey that signs in alone."""
    actor, form = own_actor(request), Form(typed(request.POST, "name"))
    passkey = (request.GET.get("kind") or request.POST.get("kind")) == "passkey"
    if request.method == "POST":
        try:
            services.prove_again(actor, request.POST.get("password", ""))
            services.check_key_name(actor, form.value("name"))
            credential = webauthn.registered(request.POST.get("credential", ""))
            codes = services.add_key(actor, name=form.value("name"), credential=credential)
            return _show_codes(request, actor, codes, f"{escape(form.value('name'))} is registered.")
        except ValidationFailed as error:
            form = Form(form.values, error.fields)
        except (Conflict, Unauthorized) as error:
            form = Form(form.values, {"name": [error.message]})
    obstacle = webauthn.obstacle()
    options = "" if obstacle else webauthn.registration(actor.person, passkey=passkey)
    page = {"section": "security", "form": form, "passkey": passkey, "options": options, "obstacle": obstacle} | _proof(
        actor
    )
    return show.page(request, "me_security_key.html", page, status=form.status)


@require_http_methods(["GET", "POST"])
def rename_key(request: HttpRequest, factor_id: int) -> HttpResponse:
    actor = own_actor(request)
    key = next((k for k in selectors.second_factors(actor).keys if k.id == factor_id), None)
    if key is None:
        raise FactorNotFound
    form = Form({"name": key.name})
    if request.method == "POST":
        form = Form(typed(request.POST, "name"))
        try:
            services.rename_key(actor, factor_id, form.value("name"))
            messages.success(request, "The key has its new name.")
            return back(actor, "security")
        except ValidationFailed as error:
            form = Form(form.values, error.fields)
    page = {"section": "security", "form": form, "key": key}
    return show.page(request, "me_security_rename.html", page, status=form.status)


@require_http_methods(["GET", "POST"])
def remove(request: HttpRequest, factor_id: int) -> HttpResponse:
    """Say what removing a second factor does, and do it when that page is sent."""
    actor, form = own_actor(request), Form()
    has = selectors.second_factors(actor)
    factors = [*([has.app] if has.app else []), *has.keys]
    factor = next((f for f in factors if f.id == factor_id), None)
    if factor is None:
        raise FactorNotFound
    if request.method == "POST":
        try:
            services.prove_again(actor, request.POST.get("password", ""))
            services.remove_factor(actor, factor_id)
            door.rotate(request)
            messages.success(request, "It is removed, and no longer signs anyone in.")
            return back(actor, "security")
        except ValidationFailed as error:
            form = Form({}, error.fields)
    page = {
        "section": "security", "form": form, "factor": factor, "last": len(factors) == 1,
        "wanted_by": selectors.tenants_that_want_a_factor(actor),
    } | _proof(actor)  # fmt: skip
    return show.page(request, "me_security_remove.html", page, status=form.status)


@require_http_methods(["GET", "POST"])
def codes(request: HttpRequest) -> HttpResponse:
    """Make new recovery codes, after saying that the old ones end."""
    actor, form = own_actor(request), Form()
    if request.method == "POST":
        try:
            services.prove_again(actor, request.POST.get("password", ""))
            return _show_codes(request, actor, services.new_recovery_codes(actor), "Your new recovery codes are made.")
        except ValidationFailed as error:
            form = Form({}, error.fields)
    page = {"section": "security", "form": form, "left": selectors.second_factors(actor).codes_left} | _proof(actor)
    return show.page(request, "me_security_new_codes.html", page, status=form.status)


@require_http_methods(["GET", "POST"])
def email(request: HttpRequest) -> HttpResponse:
    """Change the address of one's account."""
    actor, form = own_actor(request), Form(typed(request.POST, "email"))
    if request.method == "POST":
        try:
            services.prove_again(actor, request.POST.get("password", ""))
            waits = services.change_email(actor, form.value("email"))
            messages.success(
                request,
                "A link was sent to the new address. Your account keeps the present one until it is opened."
                if waits
                else "The address of your account is changed. Sign in with it from now on.",
            )
            return back(actor, "profile")
        except ValidationFailed as error:
            form = Form(form.values, error.fields)
    page = {"section": "profile", "form": form, "email": actor.email} | _proof(actor)
    return show.page(request, "me_email.html", page, status=form.status)
