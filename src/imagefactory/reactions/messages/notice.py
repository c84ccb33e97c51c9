"""What a composer returns."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from imagefactory.domain.notifications.message import Message, Recipient


@dataclasses.dataclass(frozen=True)
class Notice:
    """One message of an event to some people; `kind` is `<group>.<what>`, such as `builds.failed`."""

    kind: str
    recipients: Sequence[Recipient]
    message: Message
    channels: Sequence[str] = ("in_app", "email")
