"""What happens to a tenant's list of networks."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, ClassVar

from imagefactory.kernel.events import Event


@dataclasses.dataclass(frozen=True)
class IpListChanged(Event):
    """Both hold `networks` and `for_sessions`."""

    type: ClassVar[str] = "tenant.ip_list_changed"
    before: Mapping[str, Any]
    after: Mapping[str, Any]
