"""What happens to identity providers, to what they say about people, and to the trust in CI jobs."""

from __future__ import annotations

import dataclasses
import uuid
from collections.abc import Mapping
from typing import Any, ClassVar

from imagefactory.kernel.events import Event


@dataclasses.dataclass(frozen=True)
class IdentityProviderCreated(Event):
    type: ClassVar[str] = "tenant.identity_provider_created"
    provider_id: uuid.UUID
    name: str
    kind: str


@dataclasses.dataclass(frozen=True)
class IdentityProviderChanged(Event):
    """`before` and `after` hold the fields that changed; a secret only as "set"."""

    type: ClassVar[str] = "tenant.identity_provider_changed"
    provider_id: uuid.UUID
    name: str
    before: Mapping[str, Any]
    after: Mapping[str, Any]


@dataclasses.dataclass(frozen=True)
class IdentityProviderDeleted(Event):
    type: ClassVar[str] = "tenant.identity_provider_deleted"
    provider_id: uuid.UUID
    name: str
    kind: str


@dataclasses.dataclass(frozen=True)
class IdentityLinked(Event):
    """`how`: "first sign-in" (made or joined by the provider's word) or "person" (who confirmed it themselves)."""

    type: ClassVar[str] = "member.identity_linked"
    user_id: uuid.UUID
    provider_id: uuid.UUID
    provider_name: str
    how: str


@dataclasses.dataclass(frozen=True)
class IdentityUnlinked(Event):
    type: ClassVar[str] = "member.identity_unlinked"
    user_id: uuid.UUID
    provider_id: uuid.UUID
    provider_name: str
    reason: str


@dataclasses.dataclass(frozen=True)
class ProviderSignInRefused(Event):
    """`reason` is a code, such as "domain" or "not_a_member"."""

    type: ClassVar[str] = "member.provider_sign_in_refused"
    provider_id: uuid.UUID
    provider_name: str
    email: str
    reason: str


@dataclasses.dataclass(frozen=True)
class DirectoryRolesApplied(Event):
    """Roles as `role` or `role@project id`, before and after what the provider said."""

    type: ClassVar[str] = "member.directory_roles_applied"
    user_id: uuid.UUID
    provider_id: uuid.UUID
    before: list[str]
    after: list[str]


@dataclasses.dataclass(frozen=True)
class CiTrustChanged(Event):
    """Created (`before` empty), changed, or deleted (`after` empty)."""

    type: ClassVar[str] = "tenant.ci_trust_changed"
    trust_id: uuid.UUID
    name: str
    before: Mapping[str, Any]
    after: Mapping[str, Any]
