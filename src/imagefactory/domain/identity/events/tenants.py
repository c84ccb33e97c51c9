"""What happens to tenants: their profile, state and capabilities."""

from __future__ import annotations

import dataclasses
import uuid
from collections.abc import Mapping
from typing import Any, ClassVar

from imagefactory.kernel.events import Event


@dataclasses.dataclass(frozen=True)
class TenantCreated(Event):
    type: ClassVar[str] = "tenant.created"
    slug: str
    name: str
    state: str = "active"


@dataclasses.dataclass(frozen=True)
class TenantChanged(Event):
    type: ClassVar[str] = "tenant.changed"
    slug: str
    before: Mapping[str, Any]
    after: Mapping[str, Any]


@dataclasses.dataclass(frozen=True)
class TenantStateChanged(Event):
    """The part that all changes of state have in common; each has a type of its own."""

    slug: str
    before: str
    after: str
    reason: str


@dataclasses.dataclass(frozen=True)
class TenantApproved(TenantStateChanged):
    type: ClassVar[str] = "tenant.approved"


@dataclasses.dataclass(frozen=True)
class TenantRefused(TenantStateChanged):
    type: ClassVar[str] = "tenant.refused"


@dataclasses.dataclass(frozen=True)
class TenantSuspended(TenantStateChanged):
    type: ClassVar[str] = "tenant.suspended"


@dataclasses.dataclass(frozen=True)
class TenantSuspensionLifted(TenantStateChanged):
    type: ClassVar[str] = "tenant.suspension_lifted"


@dataclasses.dataclass(frozen=True)
class TenantDeletionStarted(TenantStateChanged):
    type: ClassVar[str] = "tenant.deletion_started"
    delete_after: str


@dataclasses.dataclass(frozen=True)
class TenantDeletionStopped(TenantStateChanged):
    type: ClassVar[str] = "tenant.deletion_stopped"


@dataclasses.dataclass(frozen=True)
class TenantRemoved(Event):
    type: ClassVar[str] = "tenant.removed"
    slug: str
    name: str


@dataclasses.dataclass(frozen=True)
class TenantExportAsked(Event):
    type: ClassVar[str] = "tenant.export_requested"
    export_id: uuid.UUID


@dataclasses.dataclass(frozen=True)
class TenantExportReady(Event):
    type: ClassVar[str] = "tenant.export_ready"
    export_id: uuid.UUID
    size_bytes: int
    expires_at: str


@dataclasses.dataclass(frozen=True)
class TenantExportDownloaded(Event):
    type: ClassVar[str] = "tenant.export_downloaded"
    export_id: uuid.UUID


@dataclasses.dataclass(frozen=True)
class CapabilityChanged(Event):
    type: ClassVar[str] = "capability.changed"
    slug: str
    capability: str
    before: bool
    after: bool
    reason: str


@dataclasses.dataclass(frozen=True)
class CapabilityRequested(Event):
    type: ClassVar[str] = "capability.requested"
    slug: str
    capability: str
    message: str
