"""Shapes of requests and answers of the API."""

from __future__ import annotations

import datetime as dt
import uuid
from typing import Annotated, Any, Literal

from ninja import Schema
from pydantic import ConfigDict, Field, StringConstraints

# PostgreSQL stores no NUL; refuse it at the edge with a sentence instead of a server error.
Text = Annotated[str, StringConstraints(pattern=r"^[^\x00]*$")]


class In(Schema):
    """A request body: unknown fields are refused, so that a typing error is not silently ignored."""

    model_config = ConfigDict(extra="forbid")


class TenantOut(Schema):
    id: uuid.UUID
    slug: str
    name: str
    role: str


class ProjectIn(In):
    name: Text = Field(max_length=300)
    slug: Text = Field("", max_length=60)
    description: Text = Field("", max_length=4000)


class ProjectChange(In):
    name: Text | None = Field(None, max_length=300)
    description: Text | None = Field(None, max_length=4000)


class SourceIn(In):
    kind: Literal["git", "archive", "inline", ""]
    url: Text = Field("", max_length=2000)
    ref: Text = Field("", max_length=300)
    dockerfile: Text = Field("", max_length=500)
    context: Text = Field("", max_length=500)
    upload_id: Text = Field("", max_length=40)
    dockerfile_text: Text = Field("", max_length=200_001)
    credential_id: uuid.UUID | None = None


class ProjectOut(Schema):
    id: uuid.UUID
    slug: str
    name: str
    description: str
    source_kind: str
    source: dict[str, Any]
    credential_id: uuid.UUID | None
    version: int
    archived: bool
    created_at: dt.datetime
    updated_at: dt.datetime


class DeleteIn(In):
    confirm: Text = Field(max_length=60)


class CredentialIn(In):
    name: Text = Field(max_length=100)
    kind: Text = Field(max_length=20)
    secret: Text = Field(max_length=20_000)
    username: Text = Field("", max_length=200)


class CredentialOut(Schema):
    id: uuid.UUID
    name: str
    kind: str
    username: str
    created_by_name: str
    created_at: dt.datetime
    last_used_at: dt.datetime | None


class UploadOut(Schema):
    id: uuid.UUID
    filename: str
    digest: str
    size_bytes: int
    created_at: dt.datetime


class BuildIn(In):
    project: Text = Field(max_length=64, description="Slug or id of the project.")
    manifest: dict[str, Any] = Field(
        default_factory=dict, description="The build manifest; what it leaves out comes from the project."
    )
    start: bool = Field(True, description="False keeps the build as a draft.")


class DryRunIn(In):
    project: Text = Field(max_length=64)
    manifest: dict[str, Any] = Field(default_factory=dict)


class RetryIn(In):
    changes: dict[str, Any] = Field(
        default_factory=dict, description="Manifest fields to change; none reruns the same build."
    )


class ProgressOut(Schema):
    current: int = 0
    total: int = 0
    stage: str = ""


class StageOut(Schema):
    name: str
    status: str
    started_at: dt.datetime | None
    finished_at: dt.datetime | None
    exit_code: int | None
    first_line: int | None
    last_line: int | None
    message: str


class ExecutionOut(Schema):
    id: uuid.UUID
    attempt: int
    status: str
    worker: str
    claimed_at: dt.datetime
    started_at: dt.datetime | None
    finished_at: dt.datetime | None
    reason: str
    exit_code: int | None
    isolation: dict[str, Any]
    facts: dict[str, Any]
    log_lines: int
    masked_values: int
    progress: dict[str, Any]
    usage: dict[str, Any]
    stages: list[StageOut]


class BuildOut(Schema):
    id: uuid.UUID
    project_id: uuid.UUID
    number: int
    name: str
    status: str
    method: str
    queue: str
    trigger: str
    created_by_name: str
    created_at: dt.datetime
    queued_at: dt.datetime | None
    started_at: dt.datetime | None
    finished_at: dt.datetime | None
    cancel_requested: bool
    attempts: int
    ref: str
    commit: str
    commit_message: str
    failure: dict[str, Any]
    image: dict[str, Any]


class QueueOut(Schema):
    ahead: int
    running: int
    limit: int
    reason: str


class BuildDetailOut(BuildOut):
    manifest: dict[str, Any]
    waits: QueueOut | None = None
    url: str = ""


class StatusOut(Schema):
    id: uuid.UUID
    status: str
    progress: ProgressOut
    stages: list[StageOut]
    waits: QueueOut | None


class CheckOut(Schema):
    name: str
    level: str
    message: str
    remedy: str
    who: str


class DryRunOut(Schema):
    ok: bool
    checks: list[CheckOut]
    manifest: dict[str, Any] | None


class VersionOut(Schema):
    digest: str
    media_type: str
    size_bytes: int
    platforms: list[str]
    tags: list[str]
    origin: dict[str, Any]
    pushed_by_name: str
    pushed_at: dt.datetime


class ImageOut(Schema):
    id: uuid.UUID
    project_id: uuid.UUID
    name: str
    reference: str
    pushed_at: dt.datetime
    latest: VersionOut | None


class ImageDetailOut(ImageOut):
    versions: list[VersionOut]


class Page(Schema):
    """The common end of a list: the cursor of the next page, empty at the end."""

    next_cursor: str = ""


class ProjectsOut(Page):
    items: list[ProjectOut]
    total: int


class BuildsOut(Page):
    items: list[BuildOut]
    total: int
    total_is_estimate: bool = False


class ImagesOut(Page):
    items: list[ImageOut]


class AuditEntryOut(Schema):
    event_id: uuid.UUID
    occurred_at: dt.datetime
    recorded_at: dt.datetime
    seq: int = Field(description="Number in the chain of its tenant.")
    tenant_id: uuid.UUID | None
    project_id: uuid.UUID | None
    type: str
    actor_id: uuid.UUID | None
    actor_kind: str
    actor_name: str
    actor_email: str
    key_id: uuid.UUID | None
    object_kind: str
    object_id: str
    object_label: str
    before: dict[str, Any] | None
    after: dict[str, Any] | None
    details: dict[str, Any]
    result: str
    reason: str
    address: str
    request_id: str
    correlation_id: str
    hash: str


class AuditOut(Page):
    items: list[AuditEntryOut]
    previous_cursor: str = ""
    total: int
    total_is_estimate: bool


class LogLinesOut(Schema):
    lines: list[list[Any]] = Field(description="Each is [number, time in ms since 1970, stage, stream, text].")
    last: int
    finished: bool


class NotificationOut(Schema):
    id: uuid.UUID
    created_at: dt.datetime
    tenant_id: uuid.UUID | None
    kind: str
    group: str
    subject: str
    text: str
    path: str
    read: bool


class NotificationsOut(Schema):
    items: list[NotificationOut]
    next_cursor: uuid.UUID | None
    total: int
    unread: int


class ReadIn(In):
    ids: list[uuid.UUID] = Field(default_factory=list, max_length=200)
    all: bool = False


class ReadOut(Schema):
    read_at: dt.datetime


class UnreadIn(In):
    ids: list[uuid.UUID] = Field(default_factory=list, max_length=200)
    read_at: dt.datetime | None = None


class UnreadOut(Schema):
    count: int


class EmailGroups(In):
    builds: bool | None = None
    team: bool | None = None
    security: bool | None = None


class NotificationSettingsOut(Schema):
    email: dict[str, bool]
    mail_configured: bool


class NotificationSettingsIn(In):
    email: EmailGroups
