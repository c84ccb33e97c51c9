"""What happens around sign-in and passwords."""

from __future__ import annotations

import dataclasses
import uuid
from typing import ClassVar

from imagefactory.kernel.events import Event


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
