"""What is written down of an attempt to sign in: the event, and the row that its person sees in their history."""

from __future__ import annotations

import dataclasses

from django.db import transaction

from imagefactory.domain.identity import events
from imagefactory.domain.identity.models import AuthSession, SignInRecord, User
from imagefactory.domain.identity.selectors.sessions import HISTORY
from imagefactory.kernel.actor import Actor, ActorKind
from imagefactory.kernel.clock import now
from imagefactory.kernel.devices import device
from imagefactory.kernel.outbox.emit import emit


def signed_in(actor: Actor, session: AuthSession) -> None:
    """Write down that a sign-in succeeded; inside the transaction that opens the session.

    A device is new when the account was used before, but from none with these words in the last 90 days.
    """
    user, words = session.user, device(actor.user_agent)
    before = SignInRecord.objects.filter(user=user, result="signed_in", created_at__gte=now() - HISTORY)
    new = not before.filter(device=words).exists() and before.exists()
    SignInRecord.objects.create(
        user=user, session_id=session.id, result="signed_in", how=session.how, address=actor.address[:64], device=words
    )
    who = dataclasses.replace(actor, kind=ActorKind.USER, user_id=user.id, name=user.name, email=user.email)
    emit(who, events.SignedIn(None, user.id, session.how, session.id, words, new))


def refused(actor: Actor, user: User | None, email: str, *, how: str, reason: str) -> None:
    """Write down that a sign-in was refused, in a transaction of its own; of strangers only the event is kept."""
    with transaction.atomic():
        if user is not None:
            SignInRecord.objects.create(
                user=user, result="refused", how=how, reason=reason, address=actor.address[:64],
                device=device(actor.user_agent),
            )  # fmt: skip
        emit(actor, events.SignInRefused(None, email, how, reason))
