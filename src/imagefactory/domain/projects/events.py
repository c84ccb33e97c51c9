"""What happens to projects."""

from __future__ import annotations

import dataclasses
import uuid
from typing import Any, ClassVar

from imagefactory.kernel.events import Event


@dataclasses.dataclass(frozen=True)
class ProjectEvent(Event):
    project_id: uuid.UUID
    slug: str


@dataclasses.dataclass(frozen=True)
class ProjectCreated(ProjectEvent):
    type: ClassVar[str] = "project.created"
    name: str
    after: dict[str, Any] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class ProjectChanged(ProjectEvent):
    type: ClassVar[str] = "project.changed"
    before: dict[str, Any]
    after: dict[str, Any]


@dataclasses.dataclass(frozen=True)
class ProjectArchivedEvent(ProjectEvent):
    type: ClassVar[str] = "project.archived"
    before: dict[str, Any] = dataclasses.field(default_factory=lambda: {"archived": False})
    after: dict[str, Any] = dataclasses.field(default_factory=lambda: {"archived": True})


@dataclasses.dataclass(frozen=True)
class ProjectRestored(ProjectEvent):
    type: ClassVar[str] = "project.restored"
    before: dict[str, Any] = dataclasses.field(default_factory=lambda: {"archived": True})
    after: dict[str, Any] = dataclasses.field(default_factory=lambda: {"archived": False})


@dataclasses.dataclass(frozen=True)
class ProjectDeleted(ProjectEvent):
    type: ClassVar[str] = "project.deleted"
    before: dict[str, Any] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class CredentialCreated(ProjectEvent):
    type: ClassVar[str] = "project.credential_created"
    credential_id: uuid.UUID
    name: str
    kind: str
    after: dict[str, Any] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class CredentialDeleted(ProjectEvent):
    type: ClassVar[str] = "project.credential_deleted"
    credential_id: uuid.UUID
    name: str
    before: dict[str, Any] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class ArchiveUploaded(ProjectEvent):
    type: ClassVar[str] = "project.archive_uploaded"
    upload_id: uuid.UUID
    digest: str
    size_bytes: int
    filename: str = ""
