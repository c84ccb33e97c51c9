"""Where someone goes on who opened an invitation and signs in first: kept in their own browser, since a link is a secret."""

from __future__ import annotations

import re
from typing import Final

from django.conf import settings
from django.http import HttpRequest, HttpResponse

from imagefactory.domain.identity.errors import InvitationNotFound
from imagefactory.domain.identity.selectors.invitations import offer_of

_COOKIE: Final = "invited_to"
_SECONDS: Final = 3600
_PATH = re.compile(r"/invite/[0-9a-f]{32}\.[A-Za-z0-9_-]{43}")


def remember(answer: HttpResponse, path: str) -> HttpResponse:
    """Keep the address of an invitation for an hour."""
    answer.set_cookie(
        _COOKIE, path, max_age=_SECONDS, httponly=True, samesite="Lax", secure=settings.SESSION_COOKIE_SECURE
    )
    return answer


def remembered(request: HttpRequest) -> str:
    """Return the address that was kept; empty for none, and for anything that is no invitation's."""
    kept = request.COOKIES.get(_COOKIE, "")
    return kept if _PATH.fullmatch(kept) else ""


def proven_address(request: HttpRequest) -> str:
    """Return the address that an invitation was sent to whose link this browser opened; empty when it lets nobody in now."""
    token = remembered(request).removeprefix("/invite/")
    if not token:
        return ""
    try:
        offer = offer_of(token)
    except InvitationNotFound:
        return ""
    return "" if offer.why else offer.email


def forget(answer: HttpResponse) -> HttpResponse:
    answer.delete_cookie(_COOKIE, samesite="Lax")
    return answer
