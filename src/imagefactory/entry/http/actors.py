"""Who is asking: a bearer token, or the browser's session; resolved when a view first asks for it."""

from __future__ import annotations

import dataclasses
import datetime as dt
import uuid
from typing import Final

from django.contrib.auth import logout
from django.core.cache import cache
from django.http import HttpRequest

from imagefactory.domain.identity import selectors
from imagefactory.domain.identity.services import note_activity
from imagefactory.domain.identity.services.members import ACTIVE_EVERY
from imagefactory.kernel import scope
from imagefactory.kernel.actor import Actor, ActorKind
from imagefactory.kernel.devices import MAX_USER_AGENT
from imagefactory.kernel.errors import InvalidRequest, Unauthorized

SIGN_IN: Final = "sign_in"  # the name under which a browser's session keeps its sign-in


def client_address(request: HttpRequest) -> str:
    """Return the client's address: the last entry of X-Forwarded-For, which our front door wrote.

    Only a connection over the private socket can carry the header; there REMOTE_ADDR is empty.
    """
    remote = request.META.get("REMOTE_ADDR") or ""
    forwarded = request.headers.get("X-Forwarded-For", "")
    if forwarded and remote in {"", "127.0.0.1", "::1"}:
        return forwarded.rsplit(",", 1)[-1].strip()[:64]
    return remote[:64]


def user_agent(request: HttpRequest) -> str:
    """Return what the client calls itself, bounded and without what the database cannot hold."""
    return request.headers.get("User-Agent", "").replace("\0", "")[:MAX_USER_AGENT]


def browser_session(request: HttpRequest) -> uuid.UUID | None:
    """Return the sign-in that this browser's cookie belongs to, or None."""
    named = request.session.get(SIGN_IN) if hasattr(request, "session") else None
    return uuid.UUID(named) if named else None


def known_address(request: HttpRequest) -> str:
    """Return the client's address for a decision about it: one that nobody told is `unknown`, and on no list."""
    return client_address(request) or "unknown"


def anonymous(request: HttpRequest) -> Actor:
    """Return the actor of someone who has not said who they are; for sign-in and sign-up."""
    return Actor(
        ActorKind.USER,
        "someone",
        session_id=browser_session(request),
        request_id=getattr(request, "request_id", ""),
        address=client_address(request),
        user_agent=user_agent(request),
    )


def _origin(request: HttpRequest, user_id: uuid.UUID) -> selectors.Origin:
    """Return the way that this browser's session came: a password, or a provider that must still stand for it.

    Raises Unauthorized when it does not, and the session is over then.
    """
    kept = request.session.get("sso")
    if not isinstance(kept, dict):
        return selectors.PASSWORD
    try:
        return selectors.origin_of(uuid.UUID(kept["identity"]), user_id, dt.datetime.fromisoformat(kept["opened"]))
    except Unauthorized:
        logout(request)
        raise


def actor_of(request: HttpRequest, tenant: str | None = None, *, unfinished: bool = False) -> Actor:
    """Return who is asking, in the tenant that the address, the header or the key names, and put it in scope.

    `unfinished` lets those in who have an address to confirm or a password to change, to do just that.

    Raises Unauthorized, TokenExpired, TenantNotFound, EmailNotConfirmed, PasswordChangeRequired, SecondFactorRequired,
    AddressNotAllowed, SignInRequired.
    """
    found = getattr(request, "_actor", None)
    if isinstance(found, Actor) and (tenant is None or tenant == found.tenant_slug):
        scope.enter(found.tenant)
        return found
    wanted = tenant or request.headers.get("X-Tenant-ID") or None
    if wanted and len(wanted) > 64:
        raise InvalidRequest("X-Tenant-ID is the slug or id of a tenant, at most 64 characters.")
    request_id, address = getattr(request, "request_id", ""), known_address(request)
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme:
        if scheme.lower() != "bearer" or not token:
            raise Unauthorized("Send the token as `Authorization: Bearer <token>`.")
        actor = selectors.actor_for_token(
            token.strip()[:400], wanted, request_id=request_id, address=address, unfinished=unfinished
        )
    elif request.user.is_authenticated:
        user_id = uuid.UUID(str(request.user.pk))
        actor = selectors.actor_for_user(
            user_id,
            wanted,
            request_id=request_id,
            address=address,
            unfinished=unfinished,
            origin=_origin(request, user_id),
        )
        actor = dataclasses.replace(actor, session_id=browser_session(request))
    else:
        raise Unauthorized("Sign in first, or send an API key as a bearer token.")
    if actor.tenant_id is not None and actor.key_id is None and not request.path.startswith("/internal/"):
        _note_activity(actor)
    scope.enter(actor.tenant)
    actor = dataclasses.replace(actor, user_agent=user_agent(request))
    request._actor = actor  # type: ignore[attr-defined]  # noqa: SLF001 - ours, kept for this request
    return actor


def _note_activity(actor: Actor) -> None:
    """Note that the person is at work; this process remembers for five minutes that it did, so that few requests write."""
    if cache.add(f"active:{actor.tenant_id}:{actor.user_id}", True, ACTIVE_EVERY.total_seconds()):
        note_activity(actor)
