"""What links in mails lead to: a new password, a confirmed address, a changed address; and asking for them."""

from __future__ import annotations

import uuid

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from imagefactory.domain.identity import selectors, services
from imagefactory.domain.identity.errors import LinkOver
from imagefactory.domain.identity.states import ProofPurpose
from imagefactory.entry.http.actors import actor_of, anonymous
from imagefactory.entry.web.forms import Form, typed
from imagefactory.entry.web.signin import door
from imagefactory.kernel import env
from imagefactory.kernel.errors import RateLimited, Unauthorized, ValidationFailed

PENDING = "confirming"  # in the session: who signed up in this browser and has yet to confirm their address


@require_http_methods(["GET", "POST"])
def recover(request: HttpRequest) -> HttpResponse:
    """Ask for a link to set a new password; the answer does not say whether there is such an account."""
    form, status, sent = Form(typed(request.POST, "email")), 200, ""
    if request.method == "POST":
        try:
            services.ask_reset(anonymous(request), form.value("email"))
            sent = form.value("email").strip()
        except ValidationFailed as error:
            form, status = Form(form.values, error.fields), 422
        except RateLimited as error:
            form, status = Form(form.values, {"email": [error.message]}), 429
    page = {"form": form, "sent": sent, "mail": env.get().has_mail}
    return render(request, "login_recover.html", page, status=status)


def _over(request: HttpRequest, again: str) -> HttpResponse:
    return render(request, "login_link_over.html", {"message": LinkOver().message, "again": again}, status=400)


@require_http_methods(["GET", "POST"])
def reset(request: HttpRequest, reset_token: str) -> HttpResponse:
    """Set a new password by a link, once."""
    form = Form()
    if request.method == "POST":
        try:
            services.reset_password(anonymous(request), reset_token, request.POST.get("new_password", ""))
            messages.success(
                request, "Your new password is set, and every sign-in of this account has ended. Sign in again."
            )
            return redirect("/login")
        except ValidationFailed as error:
            form = Form({}, error.fields)
        except LinkOver:
            return _over(request, "/login/recover")
    elif not selectors.link_works(ProofPurpose.RESET_PASSWORD, reset_token):
        return _over(request, "/login/recover")
    return render(request, "login_reset.html", {"form": form}, status=form.status)


@require_http_methods(["GET", "POST"])
def change_password(request: HttpRequest) -> HttpResponse:
    """Let someone in whose password has to be changed first."""
    actor, form = actor_of(request, unfinished=True), Form()
    if request.method == "POST":
        try:
            services.change_password(
                actor, old=request.POST.get("old_password", ""), new=request.POST.get("new_password", "")
            )
            door.keep_after_new_password(request)
            messages.success(request, "Your password is changed.")
            return redirect("/")
        except ValidationFailed as error:
            form = Form({}, error.fields)
    return render(request, "login_change_password.html", {"form": form}, status=form.status)


def _pending(request: HttpRequest) -> tuple[uuid.UUID | None, str]:
    """Return who has yet to confirm which address here: who is signed in, or who signed up in this browser."""
    if request.user.is_authenticated:
        actor = actor_of(request, unfinished=True)
        return (None, "") if selectors.email_is_confirmed(actor.person) else (actor.person, actor.email)
    kept = request.session.get(PENDING) or {}
    return (uuid.UUID(kept["user"]), str(kept["email"])) if kept else (None, "")


def _send_again(request: HttpRequest, user_id: uuid.UUID) -> HttpResponse:
    services.ask_confirmation(anonymous(request), user_id)
    messages.success(request, "Another mail is on its way. Links and codes of earlier ones no longer work.")
    return redirect("/login/confirm")


@require_http_methods(["GET", "POST"])
def confirm(request: HttpRequest) -> HttpResponse:
    """Wait for the confirmation of an address: by the link, or by the code typed here."""
    user_id, email = _pending(request)
    if user_id is None:
        return redirect("/" if request.user.is_authenticated else "/login")
    form, status = Form(), 200
    if request.method == "POST":
        try:
            if request.POST.get("again"):
                return _send_again(request, user_id)
            services.confirm_email_by_code(anonymous(request), user_id, typed(request.POST, "code")["code"])
            request.session.pop(PENDING, None)
            return redirect("/") if request.user.is_authenticated else door.enter(request, user_id, how="password")
        except Unauthorized:
            form, status = Form({}, {"code": ["This is not the code of the newest mail, or it has expired."]}), 422
        except RateLimited as error:
            form, status = Form({}, {"code": [error.message]}), 429
    page = {"form": form, "email": email, "signed_in_here": request.user.is_authenticated}
    return render(request, "login_confirm.html", page, status=status)


@require_http_methods(["GET", "POST"])
def confirm_link(request: HttpRequest, confirm_token: str) -> HttpResponse:
    """Confirm a new account's address; by a button, as mail programs open links on their own."""
    if request.method == "POST":
        try:
            confirmed = services.confirm_email(anonymous(request), confirm_token)
        except LinkOver:
            return _over(request, "/login/confirm")
        messages.success(request, "Your e-mail address is confirmed.")
        kept = request.session.pop(PENDING, None) or {}
        if kept.get("user") == str(confirmed) and not request.user.is_authenticated:
            return door.enter(request, confirmed, how="password")
        return redirect("/" if request.user.is_authenticated else "/login")
    if not selectors.link_works(ProofPurpose.CONFIRM_EMAIL, confirm_token):
        return _over(request, "/login/confirm")
    return render(request, "login_link.html", {"what": "confirm"})


@require_http_methods(["GET", "POST"])
def email_link(request: HttpRequest, email_token: str) -> HttpResponse:
    """Change an account's address to the one that the link was sent to."""
    if request.method == "POST":
        try:
            email = services.confirm_new_email(anonymous(request), email_token)
        except LinkOver:
            return _over(request, "/me/email")
        messages.success(request, f"The address of your account is {email} now. Sign in with it from now on.")
        return redirect("/me/profile" if request.user.is_authenticated else "/login")
    if not selectors.link_works(ProofPurpose.CHANGE_EMAIL, email_token):
        return _over(request, "/me/email")
    return render(request, "login_link.html", {"what": "change"})
