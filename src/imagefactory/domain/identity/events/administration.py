"""What administrators do to people: system roles, accounts, sessions."""

from __future__ import annotations

import dataclasses
import uuid
from typing import ClassVar

from imagefactory.kernel.events import Event


@dataclasses.dataclass(frozen=True)
class SystemRoleGranted(Event):
    type: ClassVar[str] = "member.system_role_granted"
    user_id: uuid.UUID
    email: str
    role: str
    before: list[str]
    after: list[str]
    reason: str


@dataclasses.dataclass(frozen=True)
class SystemRoleRevoked(Event):
    type: ClassVar[str] = "member.system_role_revoked"
    user_id: uuid.UUID
    email: str
    role: str
    before: list[str]
    after: list[str]
    reason: str


@dataclasses.dataclass(frozen=True)
class AccountSuspended(Event):
    type: ClassVar[str] = "member.account_suspended"
    user_id: uuid.UUID
    email: str
    before: str
    after: str
    reason: str


@dataclasses.dataclass(frozen=True)
class AccountRestored(Event):
    type: ClassVar[str] = "member.account_restored"
    user_id: uuid.UUID
    email: str
    before: str
    after: str
    reason: str


@dataclasses.dataclass(frozen=True)
class AccountHelped(Event):
    """An administrator did something to how a person signs in, told beside that event with the reason."""

    type: ClassVar[str] = "member.account_helped"
    user_id: uuid.UUID
    email: str
    what: str
    reason: str
