"""What happens to members and their roles."""

from __future__ import annotations

import dataclasses
import uuid
from typing import ClassVar

from imagefactory.kernel.events import Event


@dataclasses.dataclass(frozen=True)
class MemberJoined(Event):
    type: ClassVar[str] = "member.joined"
    user_id: uuid.UUID
    email: str
    role: str


@dataclasses.dataclass(frozen=True)
class MemberRoleSet(Event):
    type: ClassVar[str] = "member.role_set"
    user_id: uuid.UUID
    project_id: uuid.UUID | None
    before: str
    after: str
