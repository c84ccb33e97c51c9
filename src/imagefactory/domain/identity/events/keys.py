"""What happens to API keys."""

from __future__ import annotations

import dataclasses
import uuid
from typing import ClassVar

from imagefactory.kernel.events import Event


@dataclasses.dataclass(frozen=True)
class ApiKeyCreated(Event):
    type: ClassVar[str] = "member.api_key_created"
    key_id: uuid.UUID
    name: str
    scopes: list[str]
    expires_at: str


@dataclasses.dataclass(frozen=True)
class ApiKeyRevoked(Event):
    type: ClassVar[str] = "member.api_key_revoked"
    key_id: uuid.UUID
    name: str
