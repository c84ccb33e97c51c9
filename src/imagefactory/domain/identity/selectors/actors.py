"""Who is asking: a signed-in person, an API key or an access token becomes an actor."""

from __future__ import annotations

import dataclasses
import uuid

from imagefactory.domain.identity.errors import SecondFactorRequired
from imagefactory.domain.identity.models import AuthSession, User
from imagefactory.domain.identity.selectors.actor_parts import actor_from
from imagefactory.domain.identity.selectors.key_actors import actor_for_key
from imagefactory.domain.identity.selectors.session_use import touch
from imagefactory.domain.identity.selectors.standing import check_standing, lacks_factor
from imagefactory.domain.identity.selectors.tenants import tenant_of
from imagefactory.domain.identity.states import TokenKind
from imagefactory.kernel.actor import Actor
from imagefactory.kernel.clock import now
from imagefactory.kernel.errors import TenantRequired, TokenExpired, Unauthorized
from imagefactory.kernel.ids import digest


def actor_for_user(
    user_id: uuid.UUID, tenant: str | None = None, *, request_id: str = "", address: str = "", unfinished: bool = False
) -> Actor:
    """Return the actor of a signed-in person, in the tenant with this slug or id, or in their only one.

    `unfinished` is for what leads out of an unconfirmed address or a forced change of password; such an actor has no tenant.

    Raises TenantNotFound when they do not belong to it, Unauthorized when the account is gone or off, EmailNotConfirmed,
    PasswordChangeRequired, SecondFactorRequired.
    """
    user = User.objects.filter(id=user_id, is_active=True).first()
    if user is None:
        raise Unauthorized("This account is no longer active. Ask an owner of your team.")
    return _actor_of_person(user, tenant, request_id, address, unfinished)


def _actor_of_person(user: User, tenant: str | None, request_id: str, address: str, unfinished: bool) -> Actor:
    if unfinished:
        return actor_from(user, None, request_id=request_id, address=address)
    check_standing(user)
    found = tenant_of(user, tenant)
    if found is not None and lacks_factor(user, found):
        if tenant:
            raise SecondFactorRequired(found.slug)
        # The tenant was only derived: what is not about it goes on, and `require_tenant` says what is missing.
        shut = actor_from(user, None, request_id=request_id, address=address)
        return dataclasses.replace(shut, tenant_shut=found.slug)
    return actor_from(user, found, request_id=request_id, address=address)


def actor_for_token(
    token: str, tenant: str | None = None, *, request_id: str = "", address: str = "", unfinished: bool = False
) -> Actor:
    """Return the actor of a bearer token: an API key or an access token.

    Raises Unauthorized for anything else (a refresh token too), TokenExpired when its time is over, and for an access token
    what `actor_for_user` raises. What a person has yet to do does not stop their API keys.
    """
    kind, _, rest = token.partition("_")
    if kind == TokenKind.API_KEY:
        return actor_for_key(rest, tenant, request_id, address)
    if kind != TokenKind.ACCESS:
        raise Unauthorized("This is not an access token or an API key. Sign in, or make a key in your account.")
    session = AuthSession.objects.filter(access_hash=digest(token), revoked_at=None).select_related("user").first()
    if session is None or not session.user.is_active:
        raise Unauthorized("This token is not valid, or was signed out. Sign in again.")
    moment = now()
    if session.timed_out(moment):
        raise TokenExpired("This sign-in was not used for too long, or has reached its end. Sign in again.")
    if session.access_expires_at is None or session.access_expires_at <= moment:
        raise TokenExpired("This access token has expired. Get a new one with the refresh token.")
    touch(session, moment)
    found = _actor_of_person(session.user, tenant, request_id, address, unfinished)
    return dataclasses.replace(found, session_id=session.id)


def require_tenant(actor: Actor) -> uuid.UUID:
    """Return the actor's tenant.

    Raises TenantRequired when none was named and it cannot be derived, SecondFactorRequired when that one wants a second
    factor.
    """
    if actor.tenant_shut:
        raise SecondFactorRequired(actor.tenant_shut)
    if actor.tenant_id is None:
        raise TenantRequired("Say which tenant this is for: set the header X-Tenant-ID to its slug or id.")
    return actor.tenant_id
