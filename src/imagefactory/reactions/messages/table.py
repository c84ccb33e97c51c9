"""The list of every event that people are told of, and who composes what they read."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

from imagefactory.reactions.envelope import Envelope
from imagefactory.reactions.messages import builds, team
from imagefactory.reactions.messages.notice import Notice

Composer = Callable[[Envelope], Iterable[Notice]]

COMPOSERS: Final[dict[str, Composer]] = {
    "access.decided": team.access_decided,
    "access.requested": team.access_requested,
    "build.failed": builds.failed,
    "invitation.accepted": team.invitation_accepted,
    "invitation.asked_again": team.invitation_asked_again,
    "invitation.created": team.invitation,
    "invitation.resent": team.invitation,
    "member.removed": team.member_removed,
    "member.role_set": team.role_set,
}
