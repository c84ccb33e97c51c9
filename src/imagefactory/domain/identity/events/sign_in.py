"""What happens around sign-in, passwords, e-mail addresses and second factors; no event carries a secret."""

from __future__ import annotations

import dataclasses
import uuid
from collections.abc import Mapping
from typing import ClassVar

from imagefactory.kernel.events import Event


@dataclasses.dataclass(frozen=True)
class SignedIn(Event):
    """`how` names all that was proven, such as `password+totp`."""

    type: ClassVar[str] = "member.signed_in"
    user_id: uuid.UUID
    how: str
    session_id: uuid.UUID | None = None
    device: str = ""
    new_device: bool = False


@dataclasses.dataclass(frozen=True)
class SignInRefused(Event):
    """`reason` is wrong_password, unknown_account, account_off, wrong_code or wrong_key."""

    type: ClassVar[str] = "member.sign_in_refused"
    email: str
    how: str = "password"
    reason: str = ""


@dataclasses.dataclass(frozen=True)
class SignInUnlocked(Event):
    type: ClassVar[str] = "member.sign_in_unlocked"
    user_id: uuid.UUID


@dataclasses.dataclass(frozen=True)
class SignedOut(Event):
    type: ClassVar[str] = "member.signed_out"
    user_id: uuid.UUID


@dataclasses.dataclass(frozen=True)
class SessionsEnded(Event):
    """`why` is revoked, timed_out, or what an administrator gave as the reason."""

    type: ClassVar[str] = "member.sessions_ended"
    user_id: uuid.UUID
    session_ids: list[str]
    why: str


@dataclasses.dataclass(frozen=True)
class PasswordChanged(Event):
    """`how` is changed, reset or forced_change."""

    type: ClassVar[str] = "member.password_changed"
    user_id: uuid.UUID
    how: str = "changed"


@dataclasses.dataclass(frozen=True)
class PasswordChangeForced(Event):
    type: ClassVar[str] = "member.password_change_forced"
    user_id: uuid.UUID


@dataclasses.dataclass(frozen=True)
class PasswordResetAsked(Event):
    type: ClassVar[str] = "member.password_reset_asked"
    user_id: uuid.UUID
    proof_id: uuid.UUID
    version: int


@dataclasses.dataclass(frozen=True)
class EmailConfirmationAsked(Event):
    type: ClassVar[str] = "member.email_confirmation_asked"
    user_id: uuid.UUID
    proof_id: uuid.UUID
    version: int


@dataclasses.dataclass(frozen=True)
class EmailConfirmed(Event):
    type: ClassVar[str] = "member.email_confirmed"
    user_id: uuid.UUID
    email: str


@dataclasses.dataclass(frozen=True)
class EmailChangeAsked(Event):
    type: ClassVar[str] = "member.email_change_asked"
    user_id: uuid.UUID
    before: str
    after: str
    proof_id: uuid.UUID
    version: int


@dataclasses.dataclass(frozen=True)
class EmailChanged(Event):
    type: ClassVar[str] = "member.email_changed"
    user_id: uuid.UUID
    before: str
    after: str


@dataclasses.dataclass(frozen=True)
class SignUpRepeated(Event):
    """Someone signed up with the address of an account that exists; only that address is told so."""

    type: ClassVar[str] = "member.sign_up_repeated"
    user_id: uuid.UUID


@dataclasses.dataclass(frozen=True)
class SecondFactorAdded(Event):
    type: ClassVar[str] = "member.second_factor_added"
    user_id: uuid.UUID
    kind: str
    name: str = ""


@dataclasses.dataclass(frozen=True)
class SecondFactorRemoved(Event):
    type: ClassVar[str] = "member.second_factor_removed"
    user_id: uuid.UUID
    kind: str
    name: str = ""


@dataclasses.dataclass(frozen=True)
class SecondFactorRenamed(Event):
    type: ClassVar[str] = "member.second_factor_renamed"
    user_id: uuid.UUID
    before: str
    after: str


@dataclasses.dataclass(frozen=True)
class RecoveryCodesMade(Event):
    type: ClassVar[str] = "member.recovery_codes_made"
    user_id: uuid.UUID


@dataclasses.dataclass(frozen=True)
class ProfileChanged(Event):
    type: ClassVar[str] = "member.profile_changed"
    user_id: uuid.UUID
    before: Mapping[str, str]
    after: Mapping[str, str]


@dataclasses.dataclass(frozen=True)
class SecondFactorPolicySet(Event):
    type: ClassVar[str] = "tenant.second_factor_policy_set"
    before: bool
    after: bool
