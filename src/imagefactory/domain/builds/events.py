"""What happens to builds. `build.completed` means success and nothing else."""

from __future__ import annotations

import dataclasses
import uuid
from typing import ClassVar

from imagefactory.kernel.events import Event


@dataclasses.dataclass(frozen=True)
class BuildEvent(Event):
    """`before` and `after`, where an event has them, say the status around it."""

    project_id: uuid.UUID
    build_id: uuid.UUID
    number: int


@dataclasses.dataclass(frozen=True)
class BuildCreated(BuildEvent):
    type: ClassVar[str] = "build.created"
    name: str
    method: str
    trigger: str
    after: dict[str, str] = dataclasses.field(default_factory=lambda: {"status": "draft"})


@dataclasses.dataclass(frozen=True)
class BuildQueued(BuildEvent):
    type: ClassVar[str] = "build.queued"
    why: str
    before: dict[str, str] = dataclasses.field(default_factory=lambda: {"status": "draft"})
    after: dict[str, str] = dataclasses.field(default_factory=lambda: {"status": "queued"})


@dataclasses.dataclass(frozen=True)
class BuildStarted(BuildEvent):
    type: ClassVar[str] = "build.started"
    execution_id: uuid.UUID
    attempt: int
    worker: str
    before: dict[str, str] = dataclasses.field(default_factory=lambda: {"status": "queued"})
    after: dict[str, str] = dataclasses.field(default_factory=lambda: {"status": "running"})


@dataclasses.dataclass(frozen=True)
class BuildCompleted(BuildEvent):
    type: ClassVar[str] = "build.completed"
    execution_id: uuid.UUID
    image: str
    digest: str
    before: dict[str, str] = dataclasses.field(default_factory=lambda: {"status": "running"})
    after: dict[str, str] = dataclasses.field(default_factory=lambda: {"status": "succeeded"})


@dataclasses.dataclass(frozen=True)
class BuildFailed(BuildEvent):
    type: ClassVar[str] = "build.failed"
    execution_id: uuid.UUID | None
    code: str
    stage: str
    message: str
    before: dict[str, str] = dataclasses.field(default_factory=lambda: {"status": "running"})
    after: dict[str, str] = dataclasses.field(default_factory=lambda: {"status": "failed"})


@dataclasses.dataclass(frozen=True)
class BuildCancelRequested(BuildEvent):
    type: ClassVar[str] = "build.cancel_requested"


@dataclasses.dataclass(frozen=True)
class BuildCancelled(BuildEvent):
    type: ClassVar[str] = "build.cancelled"
    before: dict[str, str] = dataclasses.field(default_factory=lambda: {"status": "running"})
    after: dict[str, str] = dataclasses.field(default_factory=lambda: {"status": "cancelled"})


@dataclasses.dataclass(frozen=True)
class ExecutionLost(BuildEvent):
    type: ClassVar[str] = "build.execution.lost"
    execution_id: uuid.UUID
    attempt: int
    worker: str


@dataclasses.dataclass(frozen=True)
class DispatchFailed(BuildEvent):
    type: ClassVar[str] = "build.execution.dispatch_failed"
    execution_id: uuid.UUID
    reason: str
