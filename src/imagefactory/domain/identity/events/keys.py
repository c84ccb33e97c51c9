"""What happens to API keys."""

from __future__ import annotations

import dataclasses
import uuid
from collections.abc import Mapping
from typing import ClassVar

from imagefactory.kernel.events import Event


@dataclasses.dataclass(frozen=True)
class ApiKeyCreated(Event):
    """A key was made, for a person or for a service account; `project_ids` of None means no limit."""

    type: ClassVar[str] = "member.api_key_created"
    key_id: uuid.UUID
    name: str
    scopes: list[str]
    expires_at: str
    user_id: uuid.UUID | None = None
    service_account_id: uuid.UUID | None = None
    project_ids: list[str] | None = None


@dataclasses.dataclass(frozen=True)
class ApiKeyRevoked(Event):
    type: ClassVar[str] = "member.api_key_revoked"
    key_id: uuid.UUID
    name: str
    user_id: uuid.UUID | None = None
    service_account_id: uuid.UUID | None = None


@dataclasses.dataclass(frozen=True)
class ApiKeyRotated(Event):
    """A key got a successor; the old one works until `old_works_until`."""

    type: ClassVar[str] = "member.api_key_rotated"
    key_id: uuid.UUID
    name: str
    new_key_id: uuid.UUID
    old_works_until: str
    expires_at: str
    user_id: uuid.UUID | None = None
    service_account_id: uuid.UUID | None = None


@dataclasses.dataclass(frozen=True)
class ApiKeyExpiring(Event):
    """A key ends in at most `days_left` days; told once at each number of days."""

    type: ClassVar[str] = "key.expiring"
    key_id: uuid.UUID
    name: str
    prefix: str
    days_left: int
    expires_at: str
    user_id: uuid.UUID | None
    service_account_id: uuid.UUID | None


@dataclasses.dataclass(frozen=True)
class CiKeyIssued(Event):
    """A CI run got a key for some minutes; `identity` is what its provider vouched for."""

    type: ClassVar[str] = "key.ci_issued"
    key_id: uuid.UUID
    name: str
    scopes: list[str]
    project_ids: list[str]
    expires_at: str
    identity: Mapping[str, str]


@dataclasses.dataclass(frozen=True)
class KeyPolicyChanged(Event):
    """The longest life of keys in a tenant, in days; None is the installation's own limit."""

    type: ClassVar[str] = "tenant.key_policy_changed"
    before: int | None
    after: int | None
