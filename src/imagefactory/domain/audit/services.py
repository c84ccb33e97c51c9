"""Write audit entries from events."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from imagefactory.domain.audit.models import AuditEntry


class Envelope(Protocol):
    """What the audit trail reads of an event."""

    @property
    def id(self) -> uuid.UUID: ...
    @property
    def type(self) -> str: ...
    @property
    def occurred_at(self) -> dt.datetime: ...
    @property
    def tenant_id(self) -> uuid.UUID | None: ...
    @property
    def actor_id(self) -> uuid.UUID | None: ...
    @property
    def actor_kind(self) -> str: ...
    @property
    def actor_name(self) -> str: ...
    @property
    def address(self) -> str: ...
    @property
    def request_id(self) -> str: ...
    @property
    def payload(self) -> Mapping[str, Any]: ...


def record(envelopes: Sequence[Envelope]) -> None:
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
