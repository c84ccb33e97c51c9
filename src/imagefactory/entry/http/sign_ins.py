"""Who this browser is signed in as: its session must name a sign-in that is open, or it is nobody."""

from __future__ import annotations

import contextlib
import uuid
import zoneinfo
from collections.abc import Callable

from django.contrib.auth import HASH_SESSION_KEY, SESSION_KEY, get_user
from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.crypto import constant_time_compare
from django.utils.functional import SimpleLazyObject

from imagefactory.domain.identity import services
from imagefactory.entry.http.actors import SIGN_IN, anonymous, browser_session


class SignInMiddleware:
    """Replaces Django's `request.user`, which asks the account alone, by one that asks the sign-in too, in one query."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        request.user = SimpleLazyObject(lambda: _with_their_clock(signed_in_user(request)))  # type: ignore[assignment]
        with timezone.override(None):
            return self.get_response(request)


def _with_their_clock(user: AbstractBaseUser | AnonymousUser) -> AbstractBaseUser | AnonymousUser:
    """Let this request show its times in the zone of the person whom it turned out to be from."""
    # The zone was checked when it was chosen; one that this machine has lost since leaves UTC.
    with contextlib.suppress(zoneinfo.ZoneInfoNotFoundError, ValueError):
        if zone := getattr(user, "time_zone", ""):
            timezone.activate(zone)
    return user


def signed_in_user(request: HttpRequest) -> AbstractBaseUser | AnonymousUser:
    """Return the person whose open sign-in this browser's session names; a session that names none any more is emptied."""
    named = request.session.get(SESSION_KEY)
    if named is None:
        return AnonymousUser()
    session_id = browser_session(request)
    if session_id is None:
        return _adopted(request)
    # A page's own questions, such as those of its live stream, do not keep a sign-in from its idle time-out.
    counts = not request.path.startswith("/internal/")
    user = services.use_browser_session(session_id, uuid.UUID(str(named)), counts=counts)
    if user is None or not constant_time_compare(
        request.session.get(HASH_SESSION_KEY, ""), user.get_session_auth_hash()
    ):
        request.session.flush()
        return AnonymousUser()
    return user


def _adopted(request: HttpRequest) -> AbstractBaseUser | AnonymousUser:
    """Return the person of a session from before sign-ins had rows, and give it one."""
    user = get_user(request)
    if isinstance(user, AbstractBaseUser) and user.is_authenticated:
        made = services.adopt_browser_session(anonymous(request), uuid.UUID(str(user.pk)))
        request.session[SIGN_IN] = str(made)
    return user
