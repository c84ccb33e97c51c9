"""Sign-ins through the API: two typed tokens."""

from __future__ import annotations

import dataclasses
import datetime as dt
import uuid

from django.db import transaction
from django.db.models import Q

from imagefactory.domain.identity import events
from imagefactory.domain.identity.models import AuthSession
from imagefactory.domain.identity.services.records import signed_in
from imagefactory.domain.identity.states import SessionKind, TokenKind
from imagefactory.kernel import env, ids
from imagefactory.kernel.actor import Actor
from imagefactory.kernel.clock import now
from imagefactory.kernel.errors import TokenExpired, Unauthorized
from imagefactory.kernel.outbox.emit import emit

ACCESS_LIFE = dt.timedelta(hours=1)


@dataclasses.dataclass(frozen=True)
class Tokens:
    """The only time that the two tokens of an API session are seen."""

    access: str
    access_expires_in: int
    refresh: str
    refresh_expires_in: int


def open_session(actor: Actor, user_id: uuid.UUID, *, how: str = "password") -> Tokens:
    """Return new tokens for a person who has proven all that their account asks for; `how` names it."""
    moment = now()
    end = moment + dt.timedelta(days=env.get().session_days)
    tokens = _new_tokens(moment, end)
    with transaction.atomic():
        session = AuthSession(
            user_id=user_id, kind=SessionKind.API, how=how, last_used_at=moment, proven_at=moment,
            address=actor.address[:64], user_agent=actor.user_agent,
        )  # fmt: skip
        _put(session, tokens, moment, end)
        session.save(force_insert=True)
        signed_in(actor, session)
    return tokens


def _new_tokens(moment: dt.datetime, end: dt.datetime) -> Tokens:
    """Return tokens that live no longer than the sign-in they belong to."""
    access = min(ACCESS_LIFE, end - moment)
    return Tokens(
        f"{TokenKind.ACCESS}_{ids.token()}",
        int(access.total_seconds()),
        f"{TokenKind.REFRESH}_{ids.token()}",
        int((end - moment).total_seconds()),
    )


def _put(session: AuthSession, tokens: Tokens, moment: dt.datetime, end: dt.datetime) -> None:
    session.access_hash = ids.digest(tokens.access)
    session.access_expires_at = moment + dt.timedelta(seconds=tokens.access_expires_in)
    session.refresh_hash = ids.digest(tokens.refresh)
    session.refresh_expires_at = end


def refresh_session(actor: Actor, refresh_token: str) -> Tokens:
    """Exchange a refresh token for new tokens; it works once, and until the sign-in's own end.

    Raises Unauthorized or TokenExpired.
    """
    old, moment = ids.digest(refresh_token), now()
    session = AuthSession.objects.filter(refresh_hash=old, revoked_at=None, user__is_active=True).first()
    if session is None or not refresh_token.startswith(f"{TokenKind.REFRESH}_"):
        raise Unauthorized("This is not a valid refresh token. Sign in again.")
    if session.timed_out(moment) or session.refresh_expires_at is None or session.refresh_expires_at <= moment:
        raise TokenExpired("This refresh token has expired. Sign in again.")
    end = session.created_at + dt.timedelta(days=env.get().session_days)
    tokens = _new_tokens(moment, end)
    _put(session, tokens, moment, end)
    fields = ("access_hash", "access_expires_at", "refresh_hash", "refresh_expires_at")
    changed = {name: getattr(session, name) for name in fields} | {"last_used_at": max(moment, session.last_used_at)}
    if not AuthSession.objects.filter(id=session.id, refresh_hash=old, revoked_at=None).update(**changed):
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
