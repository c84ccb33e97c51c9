"""What happens to members, their roles, invitations and requests for access. No event carries an invitation's token."""

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
    """`before` and `after` are names of roles, empty for none."""

    type: ClassVar[str] = "member.role_set"
    user_id: uuid.UUID
    project_id: uuid.UUID | None
    before: str
    after: str


@dataclasses.dataclass(frozen=True)
class MemberRemoved(Event):
    """Also for a member who left by themselves: then actor and person are the same."""

    type: ClassVar[str] = "member.removed"
    user_id: uuid.UUID
    email: str
    name: str
    before: list[str]
    reason: str
    keys_revoked: int
    invitations_cancelled: int


@dataclasses.dataclass(frozen=True)
class _AboutInvitation(Event):
    invitation_id: uuid.UUID
    email: str
    role: str
    version: int


@dataclasses.dataclass(frozen=True)
class InvitationCreated(_AboutInvitation):
    type: ClassVar[str] = "invitation.created"
    projects: list[str]
    expires_at: str


@dataclasses.dataclass(frozen=True)
class InvitationResent(_AboutInvitation):
    type: ClassVar[str] = "invitation.resent"
    expires_at: str


@dataclasses.dataclass(frozen=True)
class InvitationCancelled(_AboutInvitation):
    type: ClassVar[str] = "invitation.cancelled"


@dataclasses.dataclass(frozen=True)
class InvitationExpired(_AboutInvitation):
    """Someone came with the link after its time; an invitation that nobody uses expires without an event."""

    type: ClassVar[str] = "invitation.expired"


@dataclasses.dataclass(frozen=True)
class InvitationAccepted(_AboutInvitation):
    type: ClassVar[str] = "invitation.accepted"
    accepted_by: uuid.UUID
    invited_by: uuid.UUID | None


@dataclasses.dataclass(frozen=True)
class InvitationAskedAgain(_AboutInvitation):
    """Someone whose link does not work any more asks for a new one."""

    type: ClassVar[str] = "invitation.asked_again"
    invited_by: uuid.UUID | None


@dataclasses.dataclass(frozen=True)
class RoleCreated(Event):
    type: ClassVar[str] = "role.created"
    role_id: uuid.UUID
    name: str
    scope: str
    permissions: list[str]


@dataclasses.dataclass(frozen=True)
class RoleChanged(Event):
    type: ClassVar[str] = "role.changed"
    role_id: uuid.UUID
    name: str
    before: dict[str, str]
    after: dict[str, str]


@dataclasses.dataclass(frozen=True)
class RoleDeleted(Event):
    """`replacement` is the name of the role that those who held it have now; empty when nobody held it."""

    type: ClassVar[str] = "role.deleted"
    role_id: uuid.UUID
    name: str
    replacement: str
    moved: int


@dataclasses.dataclass(frozen=True)
class AccessRequested(Event):
    type: ClassVar[str] = "access.requested"
    request_id: uuid.UUID
    user_id: uuid.UUID
    permission: str
    project_id: uuid.UUID | None
    message: str


@dataclasses.dataclass(frozen=True)
class AccessDecided(Event):
    """`decision` is granted or declined, `role` what the person got."""

    type: ClassVar[str] = "access.decided"
    request_id: uuid.UUID
    user_id: uuid.UUID
    permission: str
    project_id: uuid.UUID | None
    decision: str
    role: str
    reason: str
