"""Errors become answers here and nowhere else: the JSON envelope for programs, a page with the reason for people."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable
from typing import Any

from django.db import DataError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render

from imagefactory.domain.identity.permissions import Permission
from imagefactory.domain.identity.selectors import Person, administrators, owners_of
from imagefactory.domain.identity.states import TenantState
from imagefactory.entry.http.actors import actor_of
from imagefactory.entry.http.refusals import note
from imagefactory.kernel import env
from imagefactory.kernel.actor import NOBODY, Actor
from imagefactory.kernel.errors import (
    CapabilityOff,
    FactoryError,
    InvalidRequest,
    NotFound,
    Unauthorized,
    Unavailable,
)

log = logging.getLogger(__name__)

STATUS: dict[str, int] = {
    "invalid_request": 400,
    "tenant_required": 400,
    "unauthorized": 401,
    "token_expired": 401,
    "permission_denied": 403,
    "address_not_allowed": 403,
    "tenant_capability_not_entitled": 403,
    "tenant_suspended": 403,
    "sign_in_bound": 403,
    "sign_in_refused": 403,
    "sso_required": 403,
    "second_factor_required": 403,
    "email_confirmation_required": 403,
    "password_change_required": 428,
    "not_found": 404,
    "conflict": 409,
    "invalid_transition": 409,
    "last_owner": 409,
    "already_decided": 409,
    "build_not_cancellable": 409,
    "last_administrator": 409,
    "precondition_failed": 412,
    "too_large": 413,
    "validation_failed": 422,
    "rate_limited": 429,
    "internal_error": 500,
    "unavailable": 503,
}

# Where a page leads someone who has something to do before it opens.
NEXT_STEP: dict[str, str] = {
    "email_confirmation_required": "/login/confirm",
    "password_change_required": "/login/change-password",
    "second_factor_required": "/me/security/required?tenant=",
}

HEADINGS: dict[int, str] = {
    400: "This address does not work",
    403: "You may not do this",
    404: "Nothing here",
    409: "That does not fit any more",
    412: "Changed in the meantime",
    413: "Too large",
    422: "Something needs correcting",
    429: "Too often",
    503: "Not available just now",
}


def _whom_to_ask(request: HttpRequest, error: FactoryError) -> list[Person]:
    """Return whom a refused member can ask: the owners of their tenant, or who runs the installation where those cannot."""
    actor = getattr(request, "_actor", None)
    if status_of(error) != 403 or not isinstance(actor, Actor) or actor.tenant_id is None:
        return []
    stopped = error.code == "tenant_suspended" and actor.tenant_state != TenantState.DELETING
    if stopped or isinstance(error, CapabilityOff):
        support = env.get().support_address
        return [Person(NOBODY, support, support)] if support else administrators()
    return owners_of(actor.tenant_id)


def _may_ask(request: HttpRequest, error: FactoryError) -> dict[str, str]:
    """Return in which project a refused member can ask for the permission, empty for the team; nothing where they cannot."""
    actor = getattr(request, "_actor", None)
    member = isinstance(actor, Actor) and actor.tenant_id is not None and actor.key_id is None
    if not member or error.code != "permission_denied" or error.details.get("permission") not in set(Permission):
        return {}
    match = request.resolver_match
    return {"project": str(match.kwargs.get("project", "")) if match else ""}


def database_away(error: OperationalError) -> Unavailable:
    """Return what is told of a database that does not answer; what it said itself stands in this process's log."""
    log.warning("database away: %s", error)
    return Unavailable("The database does not answer just now. Nothing was changed; try again shortly.")


def status_of(error: FactoryError) -> int:
    """Return the HTTP status; whoever has not yet proven who they are gets 401, whatever is missing."""
    if isinstance(error, Unauthorized):
        return 401
    return STATUS.get(error.code, 400)


def wants_json(request: HttpRequest) -> bool:
    return request.path.startswith(("/api/", "/internal/", "/registry/", "/live"))


def envelope(request: HttpRequest, error: FactoryError) -> JsonResponse:
    """Return the one error shape of the API (contracts.md, "HTTP API")."""
    note(request, error, status_of(error))
    body: dict[str, Any] = {
        "code": error.code,
        "message": error.message,
        "details": dict(error.details),
        "request_id": getattr(request, "request_id", ""),
    }
    response = JsonResponse({"error": body}, status=status_of(error))
    _headers(response, error)
    return response


def _headers(response: HttpResponse, error: FactoryError) -> None:
    if (seconds := error.details.get("retry_after_seconds")) is not None:
        response["Retry-After"] = str(seconds)
    elif status_of(error) == 503:
        response["Retry-After"] = "5"
    if status_of(error) == 401:
        response["WWW-Authenticate"] = 'Bearer realm="imagefactory"'
    response["Cache-Control"] = "no-store"


def answer(request: HttpRequest, error: FactoryError) -> HttpResponse:
    """Return the answer for an error, in the form that the caller understands."""
    if wants_json(request):
        return envelope(request, error)
    if status_of(error) == 401:
        from urllib.parse import urlencode

        wanted = request.get_full_path() if request.method == "GET" else "/"
        return redirect("/login?" + urlencode({"next": wanted}) if wanted != "/" else "/login")
    note(request, error, status_of(error))
    if error.code in NEXT_STEP:
        return redirect(NEXT_STEP[error.code] + str(error.details.get("tenant", "")))
    response = render(
        request,
        "error.html",
        {
            "status": status_of(error),
            "heading": HEADINGS.get(status_of(error), "Something went wrong"),
            "code": error.code,
            # Addresses and the API say tenant, and pages say team.
            "message": error.message.replace("no such tenant", "no such team"),
            "permission": error.details.get("permission", ""),
            "ask": _whom_to_ask(request, error),
            "may_ask": _may_ask(request, error),
            "capability": error.details.get("capability", ""),
            "request_id": getattr(request, "request_id", ""),
        },
        status=status_of(error),
    )
    _headers(response, error)
    return response


class FailureMiddleware:
    """Answers errors that a view let through."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        """Return the answer for our own errors, and for a database that is away; log and hide all others."""
        if isinstance(error, FactoryError):
            return answer(request, error)
        if isinstance(error, Http404):
            return answer(request, NotFound("page"))
        if isinstance(error, DataError):
            return answer(
                request,
                InvalidRequest("A value in this request is out of range or holds a character that cannot be stored."),
            )
        if isinstance(error, OperationalError):
            return answer(request, database_away(error))
        # What stands behind /invite/ lets its holder in.
        shown = "/invite/…" if request.path.startswith("/invite/") else request.path
        log.error("unexpected error at %s %s", request.method, shown, exc_info=error)
        return answer(
            request,
            FactoryError(
                "Something went wrong on our side. Nothing is half done; try again, and give the operator the request id "
                "if it happens again."
            ),
        )


def page_not_found(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """Answer for an address that leads nowhere; below a team's address its frame stays around the page."""
    parts = request.path.split("/")
    if parts[1:2] == ["t"] and len(parts) > 2:
        with contextlib.suppress(FactoryError):
            actor_of(request, parts[2][:64])
    return answer(request, NotFound("page"))


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """Say what a failed forgery check means for a person: almost always a page that was open for long."""
    error = FactoryError(
        "This form was open for too long, or came from another site. Go back, reload the page and send it again.",
        code="permission_denied",
    )
    return answer(request, error)
