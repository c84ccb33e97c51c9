"""Sign-ins through the API: two typed tokens."""

from __future__ import annotations

import dataclasses
import datetime as dt
import uuid
from collections.abc import Mapping

from django.db import transaction
from django.db.models import Q

from imagefactory.domain.identity import events
from imagefactory.domain.identity.models import AuthSession
from imagefactory.domain.identity.states import TokenKind
from imagefactory.kernel import ids
from imagefactory.kernel.actor import Actor
from imagefactory.kernel.clock import now
from imagefactory.kernel.errors import TokenExpired, Unauthorized
from imagefactory.kernel.outbox.emit import emit

ACCESS_LIFE = dt.timedelta(hours=1)
REFRESH_LIFE = dt.timedelta(days=30)


@dataclasses.dataclass(frozen=True)
class Tokens:
    """The only time that the two tokens of an API session are seen."""

    access: str
    access_expires_in: int
    refresh: str
    refresh_expires_in: int


def open_session(actor: Actor, user_id: uuid.UUID) -> Tokens:
    """Return new tokens for a person whose password was just checked."""
    tokens = _new_tokens()
    AuthSession.objects.create(user_id=user_id, address=actor.address[:64], **_token_fields(tokens))
    return tokens


def _new_tokens() -> Tokens:
    return Tokens(
        f"{TokenKind.ACCESS}_{ids.token()}",
        int(ACCESS_LIFE.total_seconds()),
        f"{TokenKind.REFRESH}_{ids.token()}",
        int(REFRESH_LIFE.total_seconds()),
    )


def _token_fields(tokens: Tokens) -> Mapping[str, object]:
    return {
        "access_hash": ids.digest(tokens.access),
        "access_expires_at": now() + ACCESS_LIFE,
        "refresh_hash": ids.digest(tokens.refresh),
        "refresh_expires_at": now() + REFRESH_LIFE,
    }


def refresh_session(actor: Actor, refresh_token: str) -> Tokens:
    """Exchange a refresh token for new tokens; it works once.

    Raises Unauthorized or TokenExpired.
    """
    old = ids.digest(refresh_token)
    session = AuthSession.objects.filter(refresh_hash=old, revoked_at=None, user__is_active=True).first()
    if session is None or not refresh_token.startswith(f"{TokenKind.REFRESH}_"):
        raise Unauthorized("This is not a valid refresh token. Sign in again.")
    if session.refresh_expires_at <= now():
        raise TokenExpired("This refresh token has expired. Sign in again.")
    tokens = _new_tokens()
    if not AuthSession.objects.filter(id=session.id, refresh_hash=old, revoked_at=None).update(**_token_fields(tokens)):
        raise Unauthorized("This refresh token was used already. Sign in again.")
    return tokens


def close_session(actor: Actor, token: str) -> None:
    """Sign out: both tokens of the session stop working at once. Safe to repeat."""
    hashed = ids.digest(token)
    with transaction.atomic():
        closed = AuthSession.objects.filter(
            Q(access_hash=hashed) | Q(refresh_hash=hashed), user_id=actor.person, revoked_at=None
        ).update(revoked_at=now())
        if closed and actor.user_id:
            emit(actor, events.SignedOut(None, actor.user_id))
