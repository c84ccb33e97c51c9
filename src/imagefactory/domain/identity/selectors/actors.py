"""Who is asking: a signed-in person, an API key or an access token becomes an actor."""

from __future__ import annotations

import dataclasses
import uuid

from imagefactory.domain.identity.errors import SecondFactorRequired, SignInRequired
from imagefactory.domain.identity.models import AuthSession, User
from imagefactory.domain.identity.selectors.actor_parts import actor_from
from imagefactory.domain.identity.selectors.key_actors import actor_for_key
from imagefactory.domain.identity.selectors.session_use import touch
from imagefactory.domain.identity.selectors.sign_in_origins import (
    PASSWORD,
    UNASKED,
    Origin,
    satisfies,
    tenant_for,
)
from imagefactory.domain.identity.selectors.standing import check_standing, lacks_factor
from imagefactory.domain.identity.selectors.tenants import tenant_of
from imagefactory.domain.identity.states import TokenKind
from imagefactory.kernel.actor import Actor
from imagefactory.kernel.clock import now
from imagefactory.kernel.errors import TokenExpired, Unauthorized
from imagefactory.kernel.ids import digest


def actor_for_user(
    user_id: uuid.UUID,
    tenant: str | None = None,
    *,
    request_id: str = "",
    address: str = "",
    unfinished: bool = False,
    origin: Origin | None = None,
) -> Actor:
    """Return the actor of a signed-in person, in the tenant with this slug or id, or in their only one.

    `unfinished` is for what leads out of an unconfirmed address or a forced change of password; such an actor has no tenant.
    `origin` says how they signed in, and thereby which tenants that opens; None where nobody signed in (a build that goes
    on for its starter).

    Raises TenantNotFound when they do not belong to it, Unauthorized when the account is gone or off, EmailNotConfirmed,
    PasswordChangeRequired, SecondFactorRequired, SignInRequired.
    """
    user = User.objects.filter(id=user_id, is_active=True).first()
    if user is None:
        raise Unauthorized("This account is no longer active. Ask an owner of your team.")
    return _actor_of_person(user, tenant, request_id, address, unfinished, origin)


def _actor_of_person(
    user: User, tenant: str | None, request_id: str, address: str, unfinished: bool, origin: Origin | None
) -> Actor:
    came = origin or UNASKED
    if unfinished:
        return _through(came, actor_from(user, None, request_id=request_id, address=address))
    check_standing(user)
    found = tenant_of(user, tenant_for(user, tenant, came))
    # A tenant's own provider asks for what the tenant wants; the factors of the account stay the account's.
    vouched = found is not None and came.of_tenant == found.id
    if found is not None and not vouched and lacks_factor(user, found):
        if tenant:
            raise SecondFactorRequired(found.slug)
        # The tenant was only derived: what is not about it goes on, and `require_tenant` says what is missing.
        shut = _through(came, actor_from(user, None, request_id=request_id, address=address))
        return dataclasses.replace(shut, tenant_shut=found.slug)
    if origin is not None and found is not None and not satisfies(user, found, origin):
        if tenant:
            raise SignInRequired(found.name, found.slug)
        found = None  # it was only derived: what is not about it goes on
    return _through(came, actor_from(user, found, request_id=request_id, address=address))


def _through(origin: Origin, actor: Actor) -> Actor:
    # A tenant's provider never carries rights over the installation, whoever linked it.
    roles = actor.system_roles if origin.of_tenant is None else frozenset[str]()
    return dataclasses.replace(
        actor, bound_to=origin.bound_to, system_roles=roles, provider_id=origin.provider_id,
        provider_tenant_id=origin.of_tenant,
    )  # fmt: skip


def actor_for_token(
    token: str, tenant: str | None = None, *, request_id: str = "", address: str = "", unfinished: bool = False
) -> Actor:
    """Return the actor of a bearer token: an API key or an access token.

    Raises Unauthorized for anything else (a refresh token too), TokenExpired when its time is over, and for an access token
    what `actor_for_user` raises. What a person has yet to do does not stop their API keys.
    """
    kind = token.partition("_")[0]
    if kind == TokenKind.API_KEY:
        return actor_for_key(token, tenant, request_id, address)
    if kind != TokenKind.ACCESS:
        raise Unauthorized("This is not an access token or an API key. Sign in, or make a key in your account.")
    session = _session(access_hash=digest(token))
    touch(session, now())
    # API sessions begin with a password only.
    found = _actor_of_person(session.user, tenant, request_id, address, unfinished, PASSWORD)
    return dataclasses.replace(found, session_id=session.id)


def session_of_token(token: str) -> uuid.UUID | None:
    """Return which sign-in an access token belongs to, for tokens that are given for it; None for any other token."""
    found = AuthSession.objects.filter(access_hash=digest(token)).values_list("id", flat=True).first()
    return uuid.UUID(str(found)) if found else None


def actor_for_session(session_id: uuid.UUID, tenant: str | None = None, *, address: str = "") -> Actor:
    """Return the actor of a sign-in through the API whose access token was shown before, when it still works.

    Raises Unauthorized, TokenExpired, TenantNotFound, AddressNotAllowed.
    """
    session = _session(id=session_id)
    found = _actor_of_person(session.user, tenant, "", address, unfinished=False, origin=PASSWORD)
    return dataclasses.replace(found, session_id=session.id)


def _session(**which: object) -> AuthSession:
    session = AuthSession.objects.filter(revoked_at=None, **which).select_related("user").first()
    if session is None or not session.user.is_active:
        raise Unauthorized("This token is not valid, or was signed out. Sign in again.")
    moment = now()
    if session.timed_out(moment):
        raise TokenExpired("This sign-in was not used for too long, or has reached its end. Sign in again.")
    if session.access_expires_at is None or session.access_expires_at <= moment:
        raise TokenExpired("This access token has expired. Get a new one with the refresh token.")
    return session


def outside_tenants(actor: Actor) -> Actor:
    """Return the same person without the tenant that they were put into, for what concerns the whole installation."""
    return dataclasses.replace(
        actor, tenant_id=None, tenant_slug="", tenant_state="active", role="", tenant_permissions=frozenset(),
        project_permissions={}, capabilities=frozenset(),
    )  # fmt: skip
