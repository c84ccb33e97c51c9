"""Entries to test with, written as the relay writes them, and the verifier as the command line calls it."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Mapping
from typing import Any

from django.db import connection, transaction

from imagefactory.domain.audit.services.record import record
from imagefactory.domain.audit.services.verify import Report, verify
from imagefactory.kernel import env
from imagefactory.kernel.clock import now
from imagefactory.reactions.envelope import Envelope

T1, T2 = uuid.UUID(int=0xA1), uuid.UUID(int=0xB2)


def envelope(
    tenant: uuid.UUID | None = T1,
    type_: str = "project.changed",
    payload: Mapping[str, Any] | None = None,
    *,
    at: dt.datetime | None = None,
    **more: Any,
) -> Envelope:
    fields: dict[str, Any] = {
        "seq": 1, "id": uuid.uuid4(), "type": type_, "occurred_at": at or now(), "tenant_id": tenant,
        "actor_id": uuid.UUID(int=7), "actor_kind": "user", "actor_name": "Ada Lovelace", "address": "192.0.2.7",
        "request_id": "req-1", "payload": payload or {"project_id": str(uuid.UUID(int=9)), "slug": "checkout"},
        "actor_email": "ada@example.com",
    }  # fmt: skip
    return Envelope(**fields | more)


def write(count: int = 1, tenant: uuid.UUID | None = T1, **more: Any) -> list[Envelope]:
    made = [envelope(tenant, **more) for _ in range(count)]
    with transaction.atomic():
        record(made)
    return made


def checked(**more: Any) -> Report:
    connection.ensure_connection()
    return verify(connection.connection, env.get().data_dir, **more)


def as_superuser(statement: str, *values: Any) -> None:
    """Change rows as one who may: triggers are off, as a superuser or the owner of the tables can have them."""
    with connection.cursor() as cursor:
        for table in ("audit_entry", "audit_checkpoint"):
            cursor.execute(f"alter table {table} disable trigger all")
        cursor.execute(statement, values)
        assert cursor.rowcount != 0
        for table in ("audit_entry", "audit_checkpoint"):
            cursor.execute(f"alter table {table} enable trigger all")
