"""State a fact: the event goes into the outbox within the caller's transaction."""

from __future__ import annotations

from django.db import connection

from imagefactory.kernel import pg
from imagefactory.kernel.actor import Actor
from imagefactory.kernel.events import Event
from imagefactory.kernel.outbox.models import OutboxEvent

CHANNEL = "outbox"


def emit(actor: Actor, *events: Event, correlation_id: str = "") -> None:
    """Write events beside the change they tell of; they leave with the caller's commit or not at all.

    Raises RuntimeError outside a transaction: an event without its change, or the reverse, must not be possible.
    """
    if not connection.in_atomic_block:
        raise RuntimeError("emit() outside a transaction")
    OutboxEvent.objects.bulk_create(
        OutboxEvent(
            type=event.type,
            schema_version=event.schema_version,
            tenant_id=event.tenant_id,
            actor_id=actor.subject_id,
            actor_kind=actor.kind,
            actor_name=actor.name[:200],
            actor_email=actor.email[:254],
            key_id=actor.key_id,
            source=type(event).__module__.removeprefix("imagefactory.domain.").split(".")[0],
            correlation_id=correlation_id[:64],
            request_id=actor.request_id[:64],
            address=actor.address[:64],
            payload=event.payload(),
        )
        for event in events
    )
    pg.hint(CHANNEL, "")
