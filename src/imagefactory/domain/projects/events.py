"""What happens to projects."""

from __future__ import annotations

import dataclasses
import uuid
from typing import ClassVar

from imagefactory.kernel.events import Event


@dataclasses.dataclass(frozen=True)
class ProjectEvent(Event):
    project_id: uuid.UUID
    slug: str


@dataclasses.dataclass(frozen=True)
class ProjectCreated(ProjectEvent):
    type: ClassVar[str] = "project.created"
    name: str


@dataclasses.dataclass(frozen=True)
class ProjectChanged(ProjectEvent):
    type: ClassVar[str] = "project.changed"
    before: dict[str, str]
    after: dict[str, str]


@dataclasses.dataclass(frozen=True)
class ProjectArchivedEvent(ProjectEvent):
    type: ClassVar[str] = "project.archived"


@dataclasses.dataclass(frozen=True)
class ProjectRestored(ProjectEvent):
    type: ClassVar[str] = "project.restored"


@dataclasses.dataclass(frozen=True)
class ProjectDeleted(ProjectEvent):
    type: ClassVar[str] = "project.deleted"


@dataclasses.dataclass(frozen=True)
class CredentialCreated(ProjectEvent):
    type: ClassVar[str] = "project.credential_created"
    credential_id: uuid.UUID
    name: str
    kind: str


@dataclasses.dataclass(frozen=True)
class CredentialDeleted(ProjectEvent):
    type: ClassVar[str] = "project.credential_deleted"
    credential_id: uuid.UUID
    name: str


@dataclasses.dataclass(frozen=True)
class ArchiveUploaded(ProjectEvent):
    type: ClassVar[str] = "project.archive_uploaded"
    upload_id: uuid.UUID
    digest: str
    size_bytes: int
