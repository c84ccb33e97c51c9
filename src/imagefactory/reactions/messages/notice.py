"""What a composer returns."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence

from imagefactory.domain.identity.selectors import Person
from imagefactory.domain.notifications.message import Message, Recipient


@dataclasses.dataclass(frozen=True)
class Notice:
    """One message of an event to some people; `kind` is `<group>.<what>`, such as `builds.failed`."""

    kind: str
    recipients: Sequence[Recipient]
    message: Message
    channels: Sequence[str] = ("in_app", "email")


def recipients_of(people: Iterable[Person]) -> list[Recipient]:
    return [Recipient(p.email, p.name, p.id) for p in people]
