"""A person's own sign-ins, and their history."""

from __future__ import annotations

import dataclasses
import datetime as dt
import uuid

from imagefactory.domain.identity.models import AuthSession, SignInRecord
from imagefactory.kernel.actor import Actor
from imagefactory.kernel.clock import now
from imagefactory.kernel.devices import device

HISTORY = dt.timedelta(days=90)
_MOST = 200


@dataclasses.dataclass(frozen=True)
class SessionView:
    """One sign-in; `current` is the one that asks."""

    id: uuid.UUID
    kind: str
    device: str
    how: str
    address: str
    started_at: dt.datetime
    last_used_at: dt.datetime
    ends_at: dt.datetime
    current: bool


@dataclasses.dataclass(frozen=True)
class SignInView:
    """One attempt to sign in; `result` is signed_in or refused, and `reason` says why it was refused."""

    id: uuid.UUID
    at: dt.datetime
    result: str
    how: str
    reason: str
    address: str
    device: str


def sessions_of(actor: Actor) -> list[SessionView]:
    """Return the actor's own open sign-ins, this one first, then by last use; at most 200."""
    return sorted(open_sessions(actor.person, actor.session_id), key=lambda v: not v.current)


def open_sessions(user_id: uuid.UUID, current: uuid.UUID | None = None) -> list[SessionView]:
    """Return the open sign-ins of a person by last use; for callers that know who may see them."""
    moment = now()
    rows = AuthSession.objects.filter(user_id=user_id, revoked_at=None).order_by("-last_used_at")[:_MOST]
    return [
        SessionView(
            r.id, r.kind, device(r.user_agent), r.how, r.address, r.created_at, r.last_used_at, r.ends_at(),
            r.id == current,
        )
        for r in rows
        if not r.timed_out(moment)
    ]  # fmt: skip


def sign_in_history(actor: Actor) -> list[SignInView]:
    """Return the last attempts to sign in to the actor's account, newest first: 90 days, at most 200."""
    rows = SignInRecord.objects.filter(user_id=actor.person, created_at__gte=now() - HISTORY).order_by("-id")[:_MOST]
    return [SignInView(r.id, r.created_at, r.result, r.how, r.reason, r.address, r.device) for r in rows]
