"""What people change about being told. That one read a notice is nobody else's business, and no event."""

from __future__ import annotations

import dataclasses
import uuid
from typing import ClassVar

from imagefactory.kernel.events import Event


@dataclasses.dataclass(frozen=True)
class EmailGroupsSet(Event):
    type: ClassVar[str] = "notification.email_set"
    user_id: uuid.UUID
    before: dict[str, bool]
    after: dict[str, bool]
