"""What happens to service accounts."""

from __future__ import annotations

import dataclasses
import uuid
from collections.abc import Mapping
from typing import Any, ClassVar

from imagefactory.kernel.events import Event


@dataclasses.dataclass(frozen=True)
class ServiceAccountCreated(Event):
    type: ClassVar[str] = "service_account.created"
    service_account_id: uuid.UUID
    name: str
    after: Mapping[str, Any]


@dataclasses.dataclass(frozen=True)
class ServiceAccountChanged(Event):
    """Its name, contact, rights, projects or keeper changed."""

    type: ClassVar[str] = "service_account.changed"
    service_account_id: uuid.UUID
    name: str
    before: Mapping[str, Any]
    after: Mapping[str, Any]


@dataclasses.dataclass(frozen=True)
class ServiceAccountDisabled(Event):
    type: ClassVar[str] = "service_account.disabled"
    service_account_id: uuid.UUID
    name: str


@dataclasses.dataclass(frozen=True)
class ServiceAccountEnabled(Event):
    type: ClassVar[str] = "service_account.enabled"
    service_account_id: uuid.UUID
    name: str


@dataclasses.dataclass(frozen=True)
class ServiceAccountDeleted(Event):
    """Gone for good, with `keys` keys that worked until then."""

    type: ClassVar[str] = "service_account.deleted"
    service_account_id: uuid.UUID
    name: str
    keys: int
