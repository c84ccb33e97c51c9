"""The list of every event that people are told of, and who composes what they read."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

from imagefactory.reactions.envelope import Envelope
from imagefactory.reactions.messages import builds
from imagefactory.reactions.messages.notice import Notice

Composer = Callable[[Envelope], Iterable[Notice]]

COMPOSERS: Final[dict[str, Composer]] = {
    "build.failed": builds.failed,
}
