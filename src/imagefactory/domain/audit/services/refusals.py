"""Record what was refused, bounded: a loop of refusals becomes sixty entries a minute and one that counts the rest."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
import uuid
from typing import Any, Final

from django.db import connection, transaction

from imagefactory.domain.audit.events import AuditRefused
from imagefactory.kernel.actor import Actor, ActorKind
from imagefactory.kernel.clock import now
from imagefactory.kernel.ids import digest
from imagefactory.kernel.outbox.emit import emit
from imagefactory.kernel.throttle.check import origin

PER_MINUTE: Final = 60  # entries of one actor and action
STRANGERS_PER_MINUTE: Final = 600  # entries of all who are not signed in, from however many addresses
_AFTER: Final = dt.timedelta(minutes=2)

_COUNT: Final = """
insert into audit_refusal_window as w (key, started_at, count, actor, event) values (%s, %s, 1, %s, %s)
on conflict (key) do update set count = w.count + 1 returning count
"""
_OVER: Final = "delete from audit_refusal_window where started_at < %s returning count, actor, event"


def record_refusal(actor: Actor, refused: AuditRefused) -> None:
    """Write the entry of a refusal in a transaction of its own, or only count it when there were too many like it.

    Call it when the refused request's transaction is over, so that its end does not take the entry with it.
    """
    minute = now().replace(second=0, microsecond=0)
    who = str(actor.user_id or actor.key_id or f"from {origin(actor.address)}")
    with transaction.atomic():
        mine = _count(f"{who}\0{refused.action}\0{refused.code}", minute, actor, refused)
        if mine > PER_MINUTE:
            return
        if actor.user_id is None:
            everyone = dataclasses.replace(actor, address="", email="", name="people who are not signed in")
            told = dataclasses.replace(refused, action="any", path="", object_kind="", object_id="", object_label="")
            if _count("strangers", minute, everyone, told) > STRANGERS_PER_MINUTE:
                return
        emit(actor, refused)


def tell_counted_refusals() -> int:
    """State one event for each minute, actor and action that had more refusals than entries; returns how many.

    Safe to run at any time and twice at once: each row is deleted by one of them.
    """
    told = 0
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(_OVER, [now() - _AFTER])
            rows = cursor.fetchall()
        for count, actor, event in rows:
            strangers = event_of(event)
            limit = STRANGERS_PER_MINUTE if strangers.action == "any" else PER_MINUTE
            if count > limit:
                emit(_actor_of(actor), dataclasses.replace(strangers, count=count - limit))
                told += 1
    return told


def _count(key: str, minute: dt.datetime, actor: Actor, refused: AuditRefused) -> int:
    who = {
        "kind": actor.kind, "name": actor.name, "user_id": _text(actor.user_id), "email": actor.email,
        "tenant_id": _text(actor.tenant_id), "key_id": _text(actor.key_id), "address": actor.address,
    }  # fmt: skip
    event = {**refused.payload(), "tenant_id": _text(refused.tenant_id)}
    with connection.cursor() as cursor:
        cursor.execute(_COUNT, [digest(f"{minute.isoformat()}\0{key}"), minute, json.dumps(who), json.dumps(event)])
        return int(cursor.fetchone()[0])


def _text(value: uuid.UUID | None) -> str:
    return str(value) if value else ""


def _id(text: Any) -> uuid.UUID | None:
    return uuid.UUID(text) if text else None


def event_of(kept: str | dict[str, Any]) -> AuditRefused:
    """Return the event of a window's row."""
    fields = dict(json.loads(kept) if isinstance(kept, str) else kept)
    for name in ("tenant_id", "project_id"):
        fields[name] = _id(fields.get(name) or "")
    return AuditRefused(**fields)


def _actor_of(kept: str | dict[str, Any]) -> Actor:
    fields = dict(json.loads(kept) if isinstance(kept, str) else kept)
    for name in ("user_id", "tenant_id", "key_id"):
        fields[name] = _id(fields[name])
    return Actor(**{**fields, "kind": ActorKind(fields["kind"])})
