"""How the API knows who asks, which permission each route states, and how often one may call."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from ninja.security.base import AuthBase

from imagefactory.entry.http.actors import actor_of
from imagefactory.kernel.actor import Actor


class BearerOrSession(AuthBase):
    """An API key or access token as bearer, or the browser's session (writes then need the CSRF token)."""

    openapi_type = "http"
    openapi_scheme = "bearer"
    openapi_description = "An API key (`ifk_…`) or an access token from `POST /auth/login`."

    def __call__(self, request: HttpRequest) -> Actor:
        return actor_of(request)


def needs(permission: str) -> dict[str, Any]:
    """Return what a route adds to its OpenAPI entry to state the permission it needs."""
    return {"x-permission": permission}


def actor(request: HttpRequest) -> Actor:
    """Return the actor that authentication found."""
    found: Actor = request.auth  # type: ignore[attr-defined]
    return found
