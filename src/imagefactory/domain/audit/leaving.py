"""What a tenant that leaves takes along of its audit trail. The entries themselves stay when it is removed."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

from imagefactory.domain.audit.models import AuditEntry


def entries_to_export(tenant_id: uuid.UUID) -> Iterator[dict[str, Any]]:
    """Yield the tenant's entries in the order of their chain, a few thousand at a time."""
    left_out = {"search", "prev_hash", "hash"}
    fields = [f.name for f in AuditEntry._meta.concrete_fields if f.name not in left_out]  # noqa: SLF001 - Django's own way
    rows = AuditEntry.objects.filter(tenant_id=tenant_id).order_by("seq").values(*fields, "prev_hash", "hash")
    for row in rows.iterator(chunk_size=2000):
        yield dict(row) | {name: bytes(row[name]).hex() for name in ("prev_hash", "hash")}
