"""What happens to people, tenants and keys."""

from __future__ import annotations

import dataclasses
import uuid
from typing import ClassVar

from imagefactory.kernel.events import Event


@dataclasses.dataclass(frozen=True)
class TenantCreated(Event):
    type: ClassVar[str] = "tenant.created"
    slug: str
    name: str


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


@dataclasses.dataclass(frozen=True)
class SignedIn(Event):
    type: ClassVar[str] = "member.signed_in"
    user_id: uuid.UUID
    how: str


@dataclasses.dataclass(frozen=True)
class SignInRefused(Event):
    type: ClassVar[str] = "member.sign_in_refused"
    email: str


@dataclasses.dataclass(frozen=True)
class SignedOut(Event):
    type: ClassVar[str] = "member.signed_out"
    user_id: uuid.UUID


@dataclasses.dataclass(frozen=True)
class PasswordChanged(Event):
    type: ClassVar[str] = "member.password_changed"
    user_id: uuid.UUID


@dataclasses.dataclass(frozen=True)
class ApiKeyCreated(Event):
    type: ClassVar[str] = "member.api_key_created"
    key_id: uuid.UUID
    name: str
    scopes: list[str]
    expires_at: str


@dataclasses.dataclass(frozen=True)
class ApiKeyRevoked(Event):
    type: ClassVar[str] = "member.api_key_revoked"
    key_id: uuid.UUID
    name: str
