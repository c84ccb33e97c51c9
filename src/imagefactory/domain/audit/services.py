"""Write audit entries from events."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Iterable, Mapping
from typing import Any, Protocol

from imagefactory.domain.audit.models import AuditEntry


class Envelope(Protocol):
    """What the audit trail reads of an event."""

    id: uuid.UUID
    type: str
    occurred_at: dt.datetime
    tenant_id: uuid.UUID | None
    actor_id: uuid.UUID | None
    actor_kind: str
    actor_name: str
    address: str
    request_id: str
    payload: Mapping[str, Any]


def record(envelopes: Iterable[Envelope]) -> None:
    """Write one entry for each event; an event that has one already is left alone."""
    AuditEntry.objects.bulk_create(
        [
            AuditEntry(
                event_id=e.id,
                type=e.type,
                occurred_at=e.occurred_at,
                tenant_id=e.tenant_id,
                project_id=e.payload.get("project_id"),
                actor_id=e.actor_id,
                actor_kind=e.actor_kind,
                actor_name=e.actor_name,
                address=e.address,
                request_id=e.request_id,
                payload=dict(e.payload),
            )
            for e in envelopes
        ],
        ignore_conflicts=True,
    )
