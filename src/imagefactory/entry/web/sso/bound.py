"""A sign-in that a tenant's provider vouched for opens that tenant alone: everything else is shut, known to this list or not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from django.contrib.auth import SESSION_KEY
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from imagefactory.entry.http.failures import answer
from imagefactory.entry.web.sso.flow import ORIGIN
from imagefactory.kernel.errors import PermissionDenied

_PAGES: Final = (
    "/sso/",
    "/help",
    "/static/",
    "/live",
    "/healthz",
    "/internal/",
    "/api/docs",
    "/me/appearance",
    "/me/keys",
)
_TOKENS: Final = ("/api/", "/internal/", "/registry/", "/live")
_EXACT: Final = frozenset({"/login", "/logout", "/appearance", "/palette"})
_API: Final = frozenset({"/api/v1/auth/me", "/api/v1/auth/logout", "/api/v1/openapi.json"})
# Routes of the API that work within the tenant of the actor, which such a sign-in is bound to.
_API_AREAS: Final = (
    "api-keys", "projects", "builds", "images", "members", "invitations", "roles", "audit", "notifications",
    "identity-providers", "ci-trust", "webhooks", "analytics", "reports",
)  # fmt: skip


class BoundSignInMiddleware:
    """Answers 403 with the reason to whatever lies outside the one tenant."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        # A bearer token is its own proof, and no session counts beside it; but pages look at the session all the same.
        token = request.headers.get("Authorization") and request.path.startswith(_TOKENS)
        bound = "" if token else _bound_to(request)
        if not bound or _inside(request.path, bound):
            return self.get_response(request)
        if request.path == "/":
            return redirect(f"/t/{bound}/")
        reason = (
            "You came in through the sign-in of one team, which opens that team and nothing else. Sign out, and sign in with "
            "your own password for your account and your other teams."
        )
        return answer(request, PermissionDenied(reason, code="sign_in_bound", tenant=bound))


def _bound_to(request: HttpRequest) -> str:
    kept = request.session.get(ORIGIN)
    if SESSION_KEY not in request.session:
        return ""  # on the way in: a second factor may still be asked for
    return str(kept.get("bound") or "") if isinstance(kept, dict) else ""


def _inside(path: str, tenant: str) -> bool:
    if path.startswith("/api/v1/"):
        return path in _API or path.split("/")[3] in _API_AREAS
    return path in _EXACT or path.startswith((f"/t/{tenant}/", *_PAGES))
