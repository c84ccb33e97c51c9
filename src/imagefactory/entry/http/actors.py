"""Who is asking: a bearer token, or the browser's session; resolved when a view first asks for it."""

from __future__ import annotations

import uuid

from django.core.cache import cache
from django.http import HttpRequest

from imagefactory.domain.identity import selectors
from imagefactory.domain.identity.services import note_activity
from imagefactory.domain.identity.services.members import ACTIVE_EVERY
from imagefactory.kernel import scope
from imagefactory.kernel.actor import Actor, ActorKind
from imagefactory.kernel.errors import InvalidRequest, Unauthorized


def client_address(request: HttpRequest) -> str:
    """Return the client's address: the last entry of X-Forwarded-For, which our front door wrote.

    Only a connection over the private socket can carry the header; there REMOTE_ADDR is empty.
    """
    remote = request.META.get("REMOTE_ADDR") or ""
    forwarded = request.headers.get("X-Forwarded-For", "")
    if forwarded and remote in {"", "127.0.0.1", "::1"}:
        return forwarded.rsplit(",", 1)[-1].strip()[:64]
    return remote[:64]


def anonymous(request: HttpRequest) -> Actor:
    """Return the actor of someone who has not said who they are; for sign-in and sign-up."""
    return Actor(
        ActorKind.USER,
        "someone",
        request_id=getattr(request, "request_id", ""),
        address=client_address(request),
    )


def actor_of(request: HttpRequest, tenant: str | None = None) -> Actor:
    """Return who is asking, in the tenant that the address, the header or the key names, and put it in scope.

    Raises Unauthorized, TokenExpired, TenantNotFound.
    """
    found = getattr(request, "_actor", None)
    if isinstance(found, Actor) and (tenant is None or tenant == found.tenant_slug):
        scope.enter(found.tenant)
        return found
    wanted = tenant or request.headers.get("X-Tenant-ID") or None
    if wanted and len(wanted) > 64:
        raise InvalidRequest("X-Tenant-ID is the slug or id of a tenant, at most 64 characters.")
    request_id, address = getattr(request, "request_id", ""), client_address(request)
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme:
        if scheme.lower() != "bearer" or not token:
            raise Unauthorized("Send the token as `Authorization: Bearer <token>`.")
        actor = selectors.actor_for_token(token.strip()[:400], wanted, request_id=request_id, address=address)
    elif request.user.is_authenticated:
        actor = selectors.actor_for_user(
            uuid.UUID(str(request.user.pk)), wanted, request_id=request_id, address=address
        )
    else:
        raise Unauthorized("Sign in first, or send an API key as a bearer token.")
    if actor.tenant_id is not None and actor.key_id is None and not request.path.startswith("/internal/"):
        _note_activity(actor)
    scope.enter(actor.tenant)
    request._actor = actor  # type: ignore[attr-defined]  # noqa: SLF001 - ours, kept for this request
    return actor


def _note_activity(actor: Actor) -> None:
    """Note that the person is at work; this process remembers for five minutes that it did, so that few requests write."""
    if cache.add(f"active:{actor.tenant_id}:{actor.user_id}", True, ACTIVE_EVERY.total_seconds()):
        note_activity(actor)
