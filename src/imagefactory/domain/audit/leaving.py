"""What a tenant that leaves takes along of its audit trail. The entries themselves stay when it is removed."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

from imagefactory.domain.audit.models import AuditEntry


def entries_to_export(tenant_id: uuid.UUID) -> Iterator[dict[str, Any]]:
    """Yield the tenant's entries, oldest first, a few thousand at a time."""
    for row in AuditEntry.objects.filter(tenant_id=tenant_id).order_by("id").values().iterator(chunk_size=2000):
        yield dict(row)
