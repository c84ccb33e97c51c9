"""An event as reactions see it."""

from __future__ import annotations

import dataclasses
import datetime as dt
import uuid
from collections.abc import Mapping
from typing import Any


@dataclasses.dataclass(frozen=True)
class Envelope:
    """One committed event; `seq` rises in commit order as far as the relay can see it."""

    seq: int
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
    actor_email: str = ""
    key_id: uuid.UUID | None = None
    correlation_id: str = ""
