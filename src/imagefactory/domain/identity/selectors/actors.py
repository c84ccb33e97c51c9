"""Who is asking: a signed-in person, an API key or an access token becomes an actor."""

from __future__ import annotations

import uuid

from imagefactory.domain.identity.models import AuthSession, User
from imagefactory.domain.identity.selectors.actor_parts import actor_from
from imagefactory.domain.identity.selectors.key_actors import actor_for_key
from imagefactory.domain.identity.selectors.tenants import tenant_of
from imagefactory.domain.identity.states import TokenKind
from imagefactory.kernel.actor import Actor
from imagefactory.kernel.clock import now
from imagefactory.kernel.errors import TokenExpired, Unauthorized
from imagefactory.kernel.ids import digest


def actor_for_user(user_id: uuid.UUID, tenant: str | None = None, *, request_id: str = "", address: str = "") -> Actor:
    """Return the actor of a signed-in person, in the tenant with this slug or id, or in their only one.

    Raises TenantNotFound when they do not belong to it, Unauthorized when the account is gone or off.
    """
    user = User.objects.filter(id=user_id, is_active=True).first()
    if user is None:
        raise Unauthorized("This account is no longer active. Ask an owner of your team.")
    return actor_from(user, tenant_of(user, tenant), request_id=request_id, address=address)


def actor_for_token(token: str, tenant: str | None = None, *, request_id: str = "", address: str = "") -> Actor:
    """Return the actor of a bearer token: an API key or an access token.

    Raises Unauthorized for anything else (a refresh token too), TokenExpired when its time is over.
    """
    kind = token.partition("_")[0]
    if kind == TokenKind.API_KEY:
        return actor_for_key(token, tenant, request_id, address)
    if kind != TokenKind.ACCESS:
        raise Unauthorized("This is not an access token or an API key. Sign in, or make a key in your account.")
    session = _session(access_hash=digest(token))
    return actor_from(session.user, tenant_of(session.user, tenant), request_id=request_id, address=address)


def session_of_token(token: str) -> uuid.UUID | None:
    """Return which sign-in an access token belongs to, for tokens that are given for it; None for any other token."""
    found = AuthSession.objects.filter(access_hash=digest(token)).values_list("id", flat=True).first()
    return uuid.UUID(str(found)) if found else None


def actor_for_session(session_id: uuid.UUID, tenant: str | None = None, *, address: str = "") -> Actor:
    """Return the actor of a sign-in through the API whose access token was shown before, when it still works.

    Raises Unauthorized, TokenExpired, TenantNotFound, AddressNotAllowed.
    """
    session = _session(id=session_id)
    return actor_from(session.user, tenant_of(session.user, tenant), request_id="", address=address)


def _session(**which: object) -> AuthSession:
    session = AuthSession.objects.filter(revoked_at=None, **which).select_related("user").first()
    if session is None or not session.user.is_active:
        raise Unauthorized("This token is not valid, or was signed out. Sign in again.")
    if session.access_expires_at <= now():
        raise TokenExpired("This access token has expired. Get a new one with the refresh token.")
    return session
