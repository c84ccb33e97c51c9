"""Ending sign-ins: one, all others, or all of a person; each takes effect on the next request, and on open streams at once."""

from __future__ import annotations

import uuid

from django.db import transaction

from imagefactory.domain.identity import events, policies
from imagefactory.domain.identity.errors import SessionNotFound
from imagefactory.domain.identity.models import AuthSession
from imagefactory.kernel.actor import NOBODY, Actor
from imagefactory.kernel.authorize import authorize
from imagefactory.kernel.clock import now
from imagefactory.kernel.outbox.emit import emit


def end_all_of(user_id: uuid.UUID, *, keep: uuid.UUID = NOBODY) -> list[str]:
    """End every sign-in of a person but `keep`, in the caller's transaction, and return their ids; the caller tells of it."""
    rows = AuthSession.objects.select_for_update().filter(user_id=user_id, revoked_at=None).exclude(id=keep)
    ended = list(rows.values_list("id", flat=True))
    AuthSession.objects.filter(id__in=ended).update(revoked_at=now())
    return [str(e) for e in ended]


def end_session(actor: Actor, session_id: uuid.UUID) -> None:
    """End one of the actor's own sign-ins. Safe to repeat.

    Raises PermissionDenied from a key, SessionNotFound.
    """
    authorize(policies.may_act_as_person(actor))
    mine = AuthSession.objects.filter(id=session_id, user_id=actor.person)
    if not mine.exists():
        raise SessionNotFound
    with transaction.atomic():
        if mine.filter(revoked_at=None).update(revoked_at=now()):
            emit(actor, events.SessionsEnded(None, actor.person, [str(session_id)], "revoked"))


def end_other_sessions(actor: Actor) -> int:
    """End all of the actor's sign-ins but the one that asks, and return how many there were.

    Raises PermissionDenied from a key.
    """
    authorize(policies.may_act_as_person(actor))
    with transaction.atomic():
        ended = end_all_of(actor.person, keep=actor.session)
        if ended:
            emit(actor, events.SessionsEnded(None, actor.person, ended, "revoked"))
    return len(ended)
