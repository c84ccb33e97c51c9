"""How the API knows who asks, which permission each route states, and how often one may call."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.middleware.csrf import CsrfViewMiddleware
from ninja.security.base import AuthBase

from imagefactory.entry.http.actors import actor_of
from imagefactory.kernel.actor import Actor
from imagefactory.kernel.errors import NotFound, PermissionDenied


class BearerOrSession(AuthBase):
    """An API key or access token as bearer, or the browser's session (writes then need the CSRF token)."""

    openapi_type = "http"
    openapi_scheme = "bearer"
    openapi_description = "An API key (`ifk_…`) or an access token from `POST /auth/login`."

    def __init__(self, *, unfinished: bool = False) -> None:
        """`unfinished` also lets in who has yet to confirm an address or change a password."""
        super().__init__()
        self._unfinished = unfinished

    def __call__(self, request: HttpRequest) -> Actor:
        """Return who asks.

        Raises Unauthorized, NotFound below /admin without a system role, and PermissionDenied for a write by cookie
        without the forgery token: ninja exempts its views from Django's check, and a browser sends the cookie on its own,
        but never a bearer token.
        """
        found = actor_of(request, unfinished=self._unfinished)
        # Whoever holds no system role finds no administration (docs/decisions/0013).
        if request.path.startswith("/api/v1/admin/") and not found.system_roles:
            raise NotFound("page")
        if not request.headers.get("Authorization"):
            _check_forgery(request)
        return found


def _unreached(_request: HttpRequest) -> HttpResponse:
    return HttpResponse()


def _check_forgery(request: HttpRequest) -> None:
    check = CsrfViewMiddleware(_unreached)
    check.process_request(request)
    if check.process_view(request, _unreached, (), {}) is not None:
        raise PermissionDenied(
            "This request came with a browser's session and without its forgery token. Send the token as X-CSRFToken, "
            "or use an API key.",
            permission="csrf",
        )


def needs(permission: str) -> dict[str, Any]:
    """Return what a route adds to its OpenAPI entry to state the permission it needs."""
    return {"x-permission": permission}


def actor(request: HttpRequest) -> Actor:
    """Return the actor that authentication found."""
    found: Actor = request.auth  # type: ignore[attr-defined]
    return found
