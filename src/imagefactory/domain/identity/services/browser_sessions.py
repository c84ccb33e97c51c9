"""Sign-ins in browsers: each has a row that its cookie's session names, so that it can be listed, ended and timed out."""

from __future__ import annotations

import datetime as dt
import uuid

from django.db import transaction

from imagefactory.domain.identity import events
from imagefactory.domain.identity.models import AuthSession, User
from imagefactory.domain.identity.selectors.session_use import touch
from imagefactory.domain.identity.services.records import signed_in
from imagefactory.domain.identity.states import SessionKind
from imagefactory.kernel import env
from imagefactory.kernel.actor import Actor, system
from imagefactory.kernel.clock import now
from imagefactory.kernel.outbox.emit import emit

_NEVER = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


def _new(actor: Actor, user_id: uuid.UUID, how: str, *, proven: bool) -> AuthSession:
    moment = now()
    return AuthSession.objects.create(
        user_id=user_id, kind=SessionKind.BROWSER, how=how, last_used_at=moment,
        proven_at=moment if proven else _NEVER,
        refresh_expires_at=moment + dt.timedelta(days=env.get().session_days),
        address=actor.address[:64], user_agent=actor.user_agent,
    )  # fmt: skip


def open_browser_session(actor: Actor, user_id: uuid.UUID, *, how: str, proven: bool = True) -> uuid.UUID:
    """Return the id of a new sign-in of someone who has proven all that their account asks for; `how` names it.

    `proven` is False where others vouched for them: before changes to what protects the account they show its password.
    """
    with transaction.atomic():
        session = _new(actor, user_id, how, proven=proven)
        signed_in(actor, session)
    return session.id


def adopt_browser_session(actor: Actor, user_id: uuid.UUID) -> uuid.UUID:
    """Return the id of a new sign-in for a session that is older than this table; its time counts from now."""
    return _new(actor, user_id, "", proven=True).id


def use_browser_session(session_id: uuid.UUID, user_id: uuid.UUID, *, counts: bool) -> User | None:
    """Return whose sign-in this is, or None when it was ended, has run out, or the account is off.

    `counts` is False for what a page asks by itself: only a person's own doing keeps a sign-in from its idle time-out.
    """
    session = (
        AuthSession.objects.filter(
            id=session_id, user_id=user_id, kind=SessionKind.BROWSER, revoked_at=None, user__is_active=True
        )
        .select_related("user")
        .first()
    )
    if session is None:
        return None
    moment = now()
    if session.timed_out(moment):
        with transaction.atomic():
            if AuthSession.objects.filter(id=session.id, revoked_at=None).update(revoked_at=moment):
                emit(system("time-out"), events.SessionsEnded(None, user_id, [str(session.id)], "timed_out"))
        return None
    if counts:
        touch(session, moment)
    return session.user


def close_browser_session(actor: Actor) -> None:
    """Sign out of the browser that asks. Safe to repeat."""
    with transaction.atomic():
        mine = AuthSession.objects.filter(id=actor.session, user_id=actor.person, revoked_at=None)
        if mine.update(revoked_at=now()) and actor.user_id:
            emit(actor, events.SignedOut(None, actor.user_id))
