"""The steps of signing in after the password: the second factor, and the way in with a passkey."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from imagefactory.domain.identity import selectors, services
from imagefactory.entry.http.actors import anonymous
from imagefactory.entry.web.forms import Form, typed
from imagefactory.entry.web.redirects import own_address
from imagefactory.entry.web.signin import door, webauthn
from imagefactory.kernel.errors import FactoryError, RateLimited, Unauthorized
from imagefactory.kernel.throttle.check import count_attempt, origin


def _status(error: FactoryError) -> int:
    return 429 if isinstance(error, RateLimited) else 422


def _count_keys(request: HttpRequest) -> None:
    count_attempt("use a security key", origin(anonymous(request).address), limit=60, window_seconds=900)


@require_http_methods(["GET", "POST"])
def verify(request: HttpRequest) -> HttpResponse:
    """Ask for the second factor of someone whose first was right a moment ago."""
    user_id = door.waiting(request)
    if user_id is None:
        return redirect("/" if request.user.is_authenticated else "/login")
    form, status = Form(), 200
    if request.method == "POST":
        try:
            if request.POST.get("credential"):
                _count_keys(request)
                webauthn.answered(request, user_id, request.POST["credential"])
                return door.second_factor_shown(request, "webauthn")
            kind = services.verify_second_factor(anonymous(request), user_id, typed(request.POST, "code")["code"])
            return door.second_factor_shown(request, kind)
        except (Unauthorized, RateLimited) as error:
            form, status = Form({}, {"code": [error.message]}), _status(error)
    has = selectors.factors_of(user_id)
    options = webauthn.question(user_id) if has.keys and not webauthn.obstacle() else ""
    page = {"form": form, "has": has, "options": options, "obstacle": webauthn.obstacle() if has.keys else ""}
    return render(request, "login_verify.html", page, status=status)


@require_http_methods(["GET", "POST"])
def passkey(request: HttpRequest) -> HttpResponse:
    """Let someone in whose passkey stands for both the password and the second factor."""
    wanted = own_address(request.POST.get("next") or request.GET.get("next", ""))
    if request.user.is_authenticated:
        return redirect(wanted)
    form, status = Form(), 200
    if request.method == "POST":
        try:
            _count_keys(request)
            answer = request.POST.get("credential", "")
            user_id = webauthn.owner(answer)
            webauthn.answered(request, user_id, answer)
            return door.enter_with_passkey(request, user_id, wanted=wanted)
        except (Unauthorized, RateLimited) as error:
            form, status = Form({}, {"passkey": [error.message]}), _status(error)
    obstacle = webauthn.obstacle()
    options = "" if obstacle else webauthn.question(None)
    return render(
        request,
        "login_passkey.html",
        {"form": form, "next": wanted, "options": options, "obstacle": obstacle},
        status=status,
    )
