"""The pages of provider sign-in: where it begins, the directory's form, what an address leads to, and linking one's own."""

from __future__ import annotations

import uuid

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from imagefactory.adapters.identity.addresses import ProviderUnreachable
from imagefactory.domain.identity import policies, selectors, services
from imagefactory.domain.identity.errors import (
    DirectoryUnavailable,
    ProviderNotFound,
    ProviderRefused,
    WrongCredentials,
)
from imagefactory.domain.identity.selectors import ProviderConnection
from imagefactory.domain.identity.services.directory import sign_in_to_directory
from imagefactory.domain.identity.states import ProviderKind
from imagefactory.entry.http.actors import actor_of, client_address
from imagefactory.entry.web import show
from imagefactory.entry.web.forms import Form, typed
from imagefactory.entry.web.redirects import own_address
from imagefactory.entry.web.sso import adapter, flow, oidc, saml
from imagefactory.kernel.authorize import authorize
from imagefactory.kernel.errors import RateLimited
from imagefactory.kernel.throttle.check import count_attempt, origin


@require_GET
def start(request: HttpRequest, provider_id: uuid.UUID) -> HttpResponse:
    """Go to the provider; a directory has its form here instead. `link`: to link it, as confirmed just before."""
    return _begin(request, selectors.connection(provider_id), "connect" if request.GET.get("link") else "login")


def _begin(request: HttpRequest, found: ProviderConnection, process: str) -> HttpResponse:
    wanted = own_address(request.GET.get("next", ""), "")
    if found.kind == ProviderKind.LDAP:
        return redirect(f"/sso/{found.id}/directory")
    count_attempt("sign in from here", origin(client_address(request)), limit=100, window_seconds=900)
    made = adapter.ProviderAdapter(request).get_provider(request, str(found.id))
    try:
        answer: HttpResponse = made.redirect(request, process, wanted or None)
    except (oidc.ExchangeFailed, ProviderUnreachable) as error:
        return flow.refused(request, ProviderRefused("exchange", str(error)))
    return answer


@require_http_methods(["GET", "POST"])
def directory(request: HttpRequest, provider_id: uuid.UUID) -> HttpResponse:
    """Take name and password for one named directory: no other is ever asked with them."""
    found = selectors.connection(provider_id)
    if found.kind != ProviderKind.LDAP:
        raise ProviderNotFound
    process = "connect" if request.session.get(flow.LINK) and request.user.is_authenticated else "login"
    form, status = Form(typed(request.POST, "username")), 200
    if request.method == "POST":
        try:
            name, address = form.value("username"), origin(client_address(request))
            count_attempt("sign in from here", address, limit=100, window_seconds=900)
            count_attempt("sign in", f"{found.id}\0{name.strip().casefold()[:256]}", limit=10, window_seconds=900)
            said = sign_in_to_directory(found, name, request.POST.get("password", ""))
            return flow.finish(request, found, said, process=process, wanted="")
        except WrongCredentials:
            status = 422
            form = Form(form.values, {"username": ["The name or the password is wrong. Use those of the directory."]})
        except (DirectoryUnavailable, RateLimited) as error:
            status = 503 if isinstance(error, DirectoryUnavailable) else 429
            form = Form(form.values, {"username": [error.message]})
    return render(request, "sso_directory.html", {"form": form, "name": found.name}, status=status)


@require_GET
def callback(request: HttpRequest, provider_id: uuid.UUID) -> HttpResponse:
    return oidc.callback(request, str(provider_id))


@csrf_exempt
@require_POST
def acs(request: HttpRequest, provider_id: uuid.UUID) -> HttpResponse:
    return saml.acs(request, str(provider_id))


@require_GET
def acs_finish(request: HttpRequest, provider_id: uuid.UUID) -> HttpResponse:
    return saml.finish(request, str(provider_id))


@require_GET
def metadata(request: HttpRequest, provider_id: uuid.UUID) -> HttpResponse:
    return saml.metadata(request, str(provider_id))


@require_http_methods(["GET", "POST"])
def find(request: HttpRequest) -> HttpResponse:
    """Ask for the e-mail address first, and offer the providers that speak for it; the answer is the same for strangers."""
    form, found, tenant = (
        Form(typed(request.POST, "email")),
        [],
        (request.POST.get("tenant") or request.GET.get("tenant", ""))[:64],
    )
    asked = request.method == "POST"
    if asked:
        count_attempt("look for a sign-in", origin(client_address(request)), limit=60, window_seconds=900)
        found = selectors.buttons_for_address(form.value("email")[:254], tenant)
    page = {
        "form": form,
        "buttons": found,
        "tenant": tenant,
        "asked": asked,
        "next": own_address(request.GET.get("next", ""), ""),
    }
    return render(request, "sso_find.html", page)


@require_GET
def links(request: HttpRequest) -> HttpResponse:
    """Show which providers open one's account, and which could."""
    actor = actor_of(request, request.GET.get("tenant") or None)
    authorize(policies.may_act_as_person(actor))
    mine = selectors.links_of(actor)
    page = {"links": mine, "choices": selectors.linkable(actor), "section": "links", "form": Form()}
    return show.page(request, "me_links.html", page)


@require_http_methods(["GET", "POST"])
def link(request: HttpRequest, provider_id: uuid.UUID) -> HttpResponse:
    """Ask for the present password, and go to the provider that is to be linked."""
    actor = actor_of(request)
    authorize(policies.may_act_as_person(actor))
    choice = next((c for c in selectors.linkable(actor) if c.id == provider_id), None)
    if choice is None:
        raise ProviderNotFound
    form, status = Form(), 200
    if request.method == "POST":
        try:
            if services.check_own_password(actor, request.POST.get("password", "")):
                flow.remember_link(request, provider_id)
                # A page between, with a link: a form may not lead to another site (form-action of our policy).
                return show.page(request, "me_link_go.html", {"choice": choice, "section": "links", "form": form})
            form, status = Form({}, {"password": ["This is not your present password."]}), 422
        except RateLimited as error:
            form, status = Form({}, {"password": [error.message]}), 429
    return show.page(request, "me_link.html", {"choice": choice, "form": form, "section": "links"}, status=status)


@require_http_methods(["GET", "POST"])
def unlink(request: HttpRequest, identity_id: uuid.UUID) -> HttpResponse:
    """Say what unlinking does, and do it when that page is sent."""
    actor = actor_of(request)
    authorize(policies.may_act_as_person(actor))
    found = next((i for i in selectors.links_of(actor) if i.id == identity_id), None)
    if request.method == "GET":
        if found is None:
            raise ProviderNotFound
        return show.page(request, "me_unlink.html", {"link": found, "section": "links", "form": Form()})
    services.unlink(actor, identity_id)
    messages.success(request, "The link is removed, and sessions through it have ended.")
    return redirect("/me/links")
