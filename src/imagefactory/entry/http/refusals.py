"""What a request was refused goes into the audit trail once the request and its transaction are over.

A 404 is not recorded. It answers those who ask for what does not exist and those who guess ids of others alike, and an
entry would tell the two apart: in the owner's trail it would show a stranger's doings, in the stranger's it would
confirm that the guess was right. Guessing is bounded by the rate limits and counted in the metrics of answers.
"""

from __future__ import annotations

import contextlib
import logging
import re
import uuid
from collections.abc import Callable, Sequence
from typing import Any

from django.db import Error
from django.http import HttpRequest, HttpResponse

from imagefactory.domain.audit.events import AuditRefused
from imagefactory.domain.audit.services.refusals import record_refusal
from imagefactory.domain.builds.selectors import get_build
from imagefactory.domain.projects.selectors import get_project
from imagefactory.entry.http.actors import anonymous
from imagefactory.kernel.actor import Actor
from imagefactory.kernel.errors import FactoryError

log = logging.getLogger(__name__)
MAX_OF_A_REQUEST = 20
# What refusals are counted by is never a word that the client invents: there would be a new count for each.
_ACTIONS = frozenset({"pull", "push", "delete", "*"})
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
# The secret part of a link in a mail (kernel/secrets.py): who reads the record must not be let in by it.
_LETS_IN = re.compile(r"[0-9a-fA-F]{32}\.[^/]+")


def note(request: HttpRequest, error: FactoryError, status: int) -> None:
    """Keep in mind that this request was refused, when the error is a refusal: 403, or 401 of a token that was shown.

    A failed sign-in with a password has an event of its own (`member.sign_in_refused`), and a token that ran out is renewed
    every hour by every client, so neither is noted.
    """
    shown = bool(request.headers.get("Authorization"))
    if status == 403 or (error.code == "unauthorized" and shown and not request.path.endswith("/auth/login")):
        _noted(request)[:] = [_refused(request, error)]  # what is answered twice was refused once


def note_scopes(request: HttpRequest, actor: Actor, refused: Sequence[tuple[str, Sequence[str]]]) -> None:
    """Keep in mind which repositories a registry token was refused for, and for which actions."""
    request._actor = actor  # type: ignore[attr-defined]  # noqa: SLF001 - ours, kept for this request
    for name, actions in refused:
        asked = " and ".join(sorted({a if a in _ACTIONS else "other" for a in actions}))
        tenant, _, rest = name.partition("/")
        project = _object(actor, {"project": rest.partition("/")[0]})[3] if tenant == actor.tenant_slug else None
        _noted(request).append(
            AuditRefused(
                actor.tenant_id, f"registry {asked}", request.path, "permission_denied", "", "",
                f"The registry refuses to {asked} {name[:200]}.", "image", name[:300], name[:300], project,
            )
        )  # fmt: skip


def _noted(request: HttpRequest) -> list[AuditRefused]:
    if not hasattr(request, "_refused"):
        request._refused = []  # type: ignore[attr-defined]  # noqa: SLF001
    found: list[AuditRefused] = request._refused  # type: ignore[attr-defined]  # noqa: SLF001
    return found


def _actor(request: HttpRequest) -> Actor:
    found = getattr(request, "_actor", None)
    return found if isinstance(found, Actor) else anonymous(request)


def _refused(request: HttpRequest, error: FactoryError) -> AuditRefused:
    actor = _actor(request)
    match = request.resolver_match
    route = match.route.removeprefix("^").rstrip("$") if match else "unknown"
    names = {k: v for k, v in match.kwargs.items() if not k.endswith("token")} if match else {}
    method = request.method if request.method in _METHODS else "OTHER"
    return AuditRefused(
        actor.tenant_id, f"{method} /{route}"[:200], _LETS_IN.sub("…", request.path)[:300], error.code,
        str(error.details.get("permission", ""))[:60], str(error.details.get("capability", ""))[:60],
        error.message[:400], *_object(actor, names),
    )  # fmt: skip


def _object(actor: Actor, names: dict[str, Any]) -> tuple[str, str, str, uuid.UUID | None]:
    """Return kind, id, label and project of what the address names; what one may not see is not looked up."""
    with contextlib.suppress(FactoryError, Error, ValueError):
        if build_id := names.get("build_id"):
            build = get_build(actor, uuid.UUID(str(build_id)))
            return "build", str(build.id), f"#{build.number}", build.project_id
        if slug := names.get("project") or names.get("project_id") or names.get("key"):
            project = get_project(actor, slug if isinstance(slug, uuid.UUID) else str(slug)[:64])
            number = names.get("number")
            if number is not None:
                return "build", "", f"#{number} of {project.slug}", project.id
            return "project", str(project.id), project.slug, project.id
    first = next(((k, v) for k, v in names.items() if k != "tenant"), ("", ""))
    kind = first[0].removesuffix("_id")
    if kind:
        return kind, str(first[1])[:300], str(first[1])[:300], None
    return ("tenant", str(actor.tenant_id), actor.tenant_slug, None) if actor.tenant_id else ("", "", "", None)


class RefusalMiddleware:
    """Writes what was noted; outside every other middleware that opens a transaction, so that none rolls it back."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        noted: list[AuditRefused] = getattr(request, "_refused", [])
        for refused in noted[:MAX_OF_A_REQUEST]:
            try:
                record_refusal(_actor(request), refused)
            except Error:  # the refusal stands all the same, and the log has it
                log.exception("a refusal could not be recorded: %s %s", refused.action, refused.code)
        return response
