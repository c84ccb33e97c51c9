"""Sign up, sign in, sign out, one's tenants, and making one more."""

from __future__ import annotations

import uuid

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from imagefactory.domain.identity import selectors, services
from imagefactory.entry.http.actors import actor_of, anonymous
from imagefactory.entry.web import invited
from imagefactory.entry.web.forms import Form, typed
from imagefactory.entry.web.redirects import own_address
from imagefactory.entry.web.signin import door, providers, webauthn
from imagefactory.entry.web.signin.mail_views import PENDING
from imagefactory.kernel import env
from imagefactory.kernel.errors import RateLimited, Unauthorized, ValidationFailed


@require_http_methods(["GET", "POST"])
def sign_in(request: HttpRequest) -> HttpResponse:
    wanted = own_address(request.POST.get("next") or request.GET.get("next", ""))
    form, status = Form(typed(request.POST, "email")), 200
    if request.method == "POST":
        try:
            password = request.POST.get("password", "")
            found = services.verify_password(anonymous(request), email=form.value("email"), password=password)
            return door.enter(request, found, how="password", wanted=wanted)
        except (Unauthorized, RateLimited) as error:
            form = Form(form.values, {"email": [error.message]})
            status = 429 if isinstance(error, RateLimited) else 422
    elif request.user.is_authenticated:
        return redirect(wanted)
    page = {
        "form": form, "next": wanted, "sign_up_open": env.get().sign_up != "closed", "mail": env.get().has_mail,
        "passkeys": not webauthn.obstacle(), "providers": providers.buttons(request, wanted),
    }  # fmt: skip
    return render(request, "login.html", page, status=status)


@require_http_methods(["GET", "POST"])
def sign_up(request: HttpRequest) -> HttpResponse:
    names = ("name", "email", "tenant_name", "tenant_slug", "time_zone")
    form, status = Form(typed(request.POST, *names)), 200
    if request.method == "POST":
        given = dict(form.values) | {"time_zone": form.value("time_zone") or "UTC"}
        try:
            made = services.sign_up(anonymous(request), password=request.POST.get("password", ""), **given)
            if made.pending:
                # The same whether there was an account with this address: only its owner is told, by mail.
                request.session[PENDING] = {"user": str(made.user_id), "email": given["email"].strip()}
                return redirect("/login/confirm")
            return door.enter(request, made.user_id, how="password", wanted=f"/t/{made.tenant_slug}/")
        except ValidationFailed as error:
            fields = (*names[:2], "password", *names[2:])
            ordered = {name: error.fields[name] for name in fields if name in error.fields}
            form, status = Form(form.values, ordered | dict(error.fields)), 422
        except RateLimited as error:
            form, status = Form(form.values, {"email": [error.message]}), 429
    page = {
        "form": form,
        "closed": env.get().sign_up == "closed",
        "approval": env.get().sign_up == "approval",
        "zones": selectors.time_zones(),
    }
    return render(request, "signup.html", page, status=status)


@require_POST
def sign_out(request: HttpRequest) -> HttpResponse:
    door.leave(request)
    return redirect("/login")


@require_GET
def home(request: HttpRequest) -> HttpResponse:
    """Go to the tenant of last time, or show those there are."""
    if not request.user.is_authenticated:
        return redirect("/login")
    if back := invited.remembered(request):  # they came by an invitation and signed in first
        return invited.forget(redirect(back))
    user_id = uuid.UUID(str(request.user.pk))
    tenants = selectors.tenants_of(user_id)
    slug = selectors.last_tenant_slug(user_id) or (tenants[0].slug if len(tenants) == 1 else "")
    if slug and "choose" not in request.GET:
        return redirect(f"/t/{slug}/")
    actor_of(request, slug or None)  # for the frame: administrators in no team find their pages beside it
    page = {
        "administrators": [] if tenants else selectors.administrators(),
        "support": env.get().support_address,
        "tenants": tenants,
        "sign_up_open": env.get().sign_up != "closed",
    }
    return render(request, "home.html", page)


@require_http_methods(["GET", "POST"])
def new_tenant(request: HttpRequest) -> HttpResponse:
    actor = actor_of(request)
    form = Form(typed(request.POST, "name", "slug"))
    if request.method == "POST":
        try:
            made = services.create_tenant(actor, name=form.value("name"), slug=form.value("slug"))
            return redirect(f"/t/{made.slug}/")
        except ValidationFailed as error:
            form = Form(form.values, error.fields)
    page = {"form": form, "approval": env.get().sign_up == "approval" and not actor.is_system_admin}
    return render(request, "tenant_new.html", page, status=form.status)
