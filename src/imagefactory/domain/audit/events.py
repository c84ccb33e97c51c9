"""What happens to the audit trail itself, and what was refused."""

from __future__ import annotations

import dataclasses
import uuid
from typing import Any, ClassVar

from imagefactory.kernel.events import Event


@dataclasses.dataclass(frozen=True)
class AuditRefused(Event):
    """Someone was refused something. `count` is above 1 where one event stands for many refusals alike."""

    type: ClassVar[str] = "audit.refused"
    action: str
    path: str
    code: str
    permission: str
    capability: str
    reason: str
    object_kind: str
    object_id: str
    object_label: str
    project_id: uuid.UUID | None = None
    count: int = 1


@dataclasses.dataclass(frozen=True)
class AuditExported(Event):
    type: ClassVar[str] = "audit.exported"
    format: str
    rows: int
    filters: dict[str, str]


@dataclasses.dataclass(frozen=True)
class AuditTrimmed(Event):
    """Retention dropped a month of every chain."""

    type: ClassVar[str] = "audit.trimmed"
    month: str
    rows: int
    chains: int


@dataclasses.dataclass(frozen=True)
class SigningKeyRotated(Event):
    type: ClassVar[str] = "audit.signing_key_rotated"
    before: dict[str, Any]
    after: dict[str, Any]
