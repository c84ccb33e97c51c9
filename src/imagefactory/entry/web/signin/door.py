"""The one way in: who proved who they are goes through django-allauth's stages, and comes out with a session."""

from __future__ import annotations

import uuid
from collections.abc import Mapping

from allauth.account.internal.flows.login import perform_login, record_authentication
from allauth.account.models import Login
from allauth.mfa.stages import AuthenticateStage
from django.contrib.auth import get_user_model, login
from django.contrib.auth.base_user import AbstractBaseUser
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from imagefactory.kernel.errors import Unauthorized

BACKEND = "django.contrib.auth.backends.ModelBackend"


class SecondFactorStage(AuthenticateStage):  # type: ignore[misc] # allauth has no types
    """Asks for the second factor of those who have one, on our page."""

    urlname = "mfa_authenticate"


def enter(
    request: HttpRequest,
    user_id: uuid.UUID,
    *,
    how: str,
    wanted: str = "/",
    origin: Mapping[str, str] | None = None,
) -> HttpResponse:
    """Return where someone goes next who has just proved to be `user_id`: the second factor, or the page they wanted.

    `how` says what proved it, such as `password`; `origin` is what the session remembers of an identity provider, whose
    sign-in may open less than a password does.
    """
    request.session.pop("sso", None)
    if origin:
        request.session["sso"] = dict(origin)
    user = get_user_model().objects.get(pk=user_id)
    record_authentication(request, user, method=how)
    answer: HttpResponse = perform_login(request, Login(user=user, redirect_url=wanted))
    return answer


def open_session(request: HttpRequest, user: AbstractBaseUser) -> None:
    """Open the browser's session with a new key and a new forgery token."""
    login(request, user, backend=BACKEND)


def refuse_inactive(request: HttpRequest) -> HttpResponse:
    """Answer for an account that is switched off."""
    if request.path.startswith("/login"):
        return redirect("/login")
    raise Unauthorized("This account is no longer active. Ask an owner of your team.")
