"""The one way in: who proved who they are goes through django-allauth's stages, and comes out with a session."""

from __future__ import annotations

import dataclasses
import uuid
from collections.abc import Mapping
from typing import Any

from allauth.account.internal.flows.login import (
    clear_authentication_records,
    get_authentication_records,
    perform_login,
    record_authentication,
)
from allauth.account.internal.stagekit import clear_login
from allauth.account.models import Login
from allauth.account.stages import LoginStageController
from allauth.mfa.stages import AuthenticateStage
from django.contrib.auth import get_user_model, login, logout, update_session_auth_hash
from django.http import HttpRequest, HttpResponse

from imagefactory.domain.identity import services
from imagefactory.entry.http.actors import SIGN_IN, anonymous
from imagefactory.entry.web.redirects import own_address
from imagefactory.kernel.actor import Actor
from imagefactory.kernel.errors import Unauthorized

BACKEND = "django.contrib.auth.backends.ModelBackend"
# What django-allauth calls a way to prove oneself, in the words of the history.
_WAYS = {"recovery_codes": "recovery_code"}


class SecondFactorStage(AuthenticateStage):  # type: ignore[misc] # allauth has no types
    """Asks for the second factor of those who have one, on our page."""


def _begin(request: HttpRequest) -> None:
    """Forget how an earlier sign-in came, and sign out whoever it signed in here.

    Someone may stop at the second factor: what was open would then go on as if a password had opened it.
    """
    if request.user.is_authenticated:
        leave(request)
    request.session.pop("sso", None)


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
    _begin(request)
    if origin:
        request.session["sso"] = dict(origin)
    user = get_user_model().objects.get(pk=user_id)
    clear_login(request)
    record_authentication(request, user, method=how)
    answer: HttpResponse = perform_login(request, Login(user=user, redirect_url=own_address(wanted)))
    return answer


def enter_with_passkey(request: HttpRequest, user_id: uuid.UUID, *, wanted: str = "/") -> HttpResponse:
    """Return where someone goes next whose passkey proved both that it is theirs and that they are its person."""
    _begin(request)
    user = get_user_model().objects.get(pk=user_id)
    clear_login(request)
    record_authentication(request, user, method="mfa", type="webauthn", passwordless=True)
    answer: HttpResponse = perform_login(request, Login(user=user, redirect_url=own_address(wanted)))
    return answer


def waiting(request: HttpRequest) -> uuid.UUID | None:
    """Return who has yet to show a second factor in this browser; None after 10 minutes, or when nobody has."""
    stage = LoginStageController.enter(request, SecondFactorStage.key)
    user = stage.login.user if stage is not None else None
    return uuid.UUID(str(user.pk)) if user is not None and user.is_active else None


def second_factor_shown(request: HttpRequest, kind: str) -> HttpResponse:
    """Go on after the second factor; `kind` is totp, recovery_code or webauthn.

    Raises Unauthorized when nobody waits here any more.
    """
    stage = LoginStageController.enter(request, SecondFactorStage.key)
    if stage is None or stage.login.user is None:
        raise Unauthorized("This sign-in took too long. Sign in with the password again.")
    record_authentication(request, stage.login.user, method="mfa", type=kind)
    answer: HttpResponse = stage.exit()
    return answer


def _how(records: list[dict[str, Any]]) -> str:
    """Return all that was proven since the sign-in began, such as `password+totp`."""
    ways = []
    for record in records:
        way = str(record.get("type") if record.get("method") == "mfa" else record.get("method"))
        if record.get("passwordless"):
            way = "passkey"
        if record.get("method") == "socialaccount":
            way = f"sso:{record.get('provider', '')}"
        ways.append(_WAYS.get(way, way))
    return "+".join(ways)[:80]


def open_session(request: HttpRequest, user: Any) -> None:
    """Open the browser's session, with a new key and a new forgery token; one that was open here before ends."""
    how = _how(get_authentication_records(request, user))
    services.close_browser_session(_asking(request))
    login(request, user, backend=BACKEND)
    # A team's provider says what its owners let it say: that is no proof for changes to what protects the account.
    proven = not (request.session.get("sso") or {}).get("of_team")
    made = services.open_browser_session(anonymous(request), uuid.UUID(str(user.pk)), how=how, proven=proven)
    clear_authentication_records(request)
    request.session[SIGN_IN] = str(made)


def rotate(request: HttpRequest) -> None:
    """Give the session a new key: what protects the account has changed, and a copy of the old key ends."""
    request.session.cycle_key()


def keep_after_new_password(request: HttpRequest) -> None:
    """Keep this browser signed in, under a new key, when its person has changed the password."""
    update_session_auth_hash(request, get_user_model().objects.get(pk=str(request.user.pk)))


def leave(request: HttpRequest) -> None:
    """Sign out of this browser."""
    services.close_browser_session(_asking(request))
    logout(request)


def _asking(request: HttpRequest) -> Actor:
    who = anonymous(request)
    signed_in = request.user.is_authenticated
    return dataclasses.replace(who, user_id=uuid.UUID(str(request.user.pk))) if signed_in else who


def refuse_inactive(request: HttpRequest) -> HttpResponse:
    """Answer for an account that is switched off, when an identity provider signs it in.

    Raises Unauthorized always.
    """
    raise Unauthorized("This account is no longer active. Ask an owner of your team.")
