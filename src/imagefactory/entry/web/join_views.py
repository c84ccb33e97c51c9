"""The page behind an invitation's link: what is offered, and taking it with an account that is there or a new one.

The link is a secret of the one invited: this page never gives its address to another site, a log or an error page.
"""

from __future__ import annotations

import uuid
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from imagefactory.domain.identity import selectors, services
from imagefactory.domain.identity.errors import InvitationEnded, InvitationNotFound
from imagefactory.domain.identity.selectors.invitations import Offer, offer_of, same_address
from imagefactory.domain.identity.services.accepting import AGAIN, ended
from imagefactory.entry.http.actors import actor_of, anonymous
from imagefactory.entry.http.failures import HEADINGS, status_of
from imagefactory.entry.web import invited
from imagefactory.entry.web.forms import Form, typed
from imagefactory.entry.web.people_rows import allowed, role_name
from imagefactory.entry.web.signin import door, providers
from imagefactory.kernel.errors import FactoryError, ValidationFailed


@require_http_methods(["GET", "POST"])
def open_invitation(request: HttpRequest, token: str) -> HttpResponse:
    try:
        answer = _open(request, token)
    except FactoryError as error:
        answer = _refused(request, token, error)
    # The origin and never the path, anywhere. Without the origin too, no form of this page would pass the forgery check.
    answer["Referrer-Policy"] = "strict-origin"
    answer["Cache-Control"] = "no-store"
    # Django would log the address of an answer that refuses, and the address is the secret.
    answer._has_been_logged = True  # type: ignore[attr-defined]  # noqa: SLF001
    return answer


def _open(request: HttpRequest, token: str) -> HttpResponse:
    offer = offer_of(token)
    if request.method == "POST":
        return _act(request, token, offer)
    if offer.why:
        raise ended(offer.why, offer.void_because)
    return _page(request, offer, Form({"time_zone": ""}))


def _act(request: HttpRequest, token: str, offer: Offer) -> HttpResponse:
    """Do what a button of the page says: sign in first, switch accounts, ask for a new link, or join."""
    if "switch" in request.POST:
        door.leave(request)
        return redirect(request.path)
    if "sign-in" in request.POST:
        return invited.remember(redirect("/login"), request.path)
    if "again" in request.POST:
        services.ask_again(anonymous(request), token)
        messages.success(request, "They are told that you ask for a new invitation.")
        return redirect("/login")
    if request.user.is_authenticated:
        joined = services.accept_invitation(actor_of(request), token)
    else:
        form = Form(typed(request.POST, "name", "time_zone"))
        try:
            joined = services.accept_with_new_account(
                anonymous(request), token, name=form.value("name"), password=request.POST.get("password", ""),
                time_zone=form.value("time_zone") or "UTC",
            )  # fmt: skip
        except ValidationFailed as error:
            return _page(request, offer, Form(form.values, error.fields))
        answer = door.enter(request, joined.user_id, how="password", wanted=f"/t/{joined.tenant_slug}/")
        messages.success(request, f"Welcome to {offer.tenant_name}.")
        return invited.forget(answer)
    messages.success(request, f"Welcome to {offer.tenant_name}.")
    return invited.forget(redirect(f"/t/{joined.tenant_slug}/"))


def _page(request: HttpRequest, offer: Offer, form: Form) -> HttpResponse:
    me = selectors.person(uuid.UUID(str(request.user.pk))) if request.user.is_authenticated else None
    page: dict[str, Any] = {
        "offer": offer, "role": role_name(offer.role), "allowed": allowed(offer.role), "form": form, "me": me,
        "fits": me is not None and same_address(me.email, offer.email), "zones": selectors.time_zones(),
        "ways": [],
    }  # fmt: skip
    if me is not None:
        return render(request, "join.html", page, status=form.status)
    # Whoever signs in through a provider comes back to `/`, and goes on from there.
    page["ways"] = providers.buttons(request, "/")
    return invited.remember(render(request, "join.html", page, status=form.status), request.path)


def _refused(request: HttpRequest, token: str, error: FactoryError) -> HttpResponse:
    """Say why the link lets nobody in; one who was really invited may ask for a new one."""
    status, again = status_of(error), isinstance(error, InvitationEnded) and error.why in AGAIN
    heading = HEADINGS.get(status, "This does not work")
    if isinstance(error, InvitationNotFound):
        heading = "No such invitation"
    elif isinstance(error, InvitationEnded):
        heading = "This invitation does not work any more"
    page = {"heading": heading, "message": error.message, "again": again, "code": error.code}
    return render(request, "join_refused.html", page, status=status)
