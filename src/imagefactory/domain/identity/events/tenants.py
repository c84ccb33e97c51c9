"""What happens to tenants."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

from imagefactory.kernel.events import Event


@dataclasses.dataclass(frozen=True)
class TenantCreated(Event):
    type: ClassVar[str] = "tenant.created"
    slug: str
    name: str
