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


class ErrorBody(Schema):
    code: str
    message: str
    details: dict[str, Any]
    request_id: str


class ErrorOut(Schema):
    error: ErrorBody


class SignUpIn(In):
    name: Text = Field(max_length=200)
    email: Text = Field(max_length=300)
    password: Text = Field(max_length=2000)
    tenant_name: Text = Field(max_length=200)
    tenant_slug: Text = Field("", max_length=60)
    time_zone: Text = Field("UTC", max_length=64)


class LoginIn(In):
    email: Text = Field(max_length=300)
    password: Text = Field(max_length=2000)


class VerifyIn(In):
    challenge: Text = Field(max_length=2000)
    code: Text = Field(max_length=40)


class NoticeOut(Schema):
    message: str


class EmailIn(In):
    email: Text = Field(max_length=300)


class ResetIn(In):
    token: Text = Field(max_length=400)
    password: Text = Field(max_length=2000)


class TokenIn(In):
    token: Text = Field(max_length=400)


class PasswordIn(In):
    old_password: Text = Field(max_length=2000)
    new_password: Text = Field(max_length=2000)


class NewEmailIn(In):
    email: Text = Field(max_length=300)
    password: Text = Field("", max_length=2000)


class ProfileIn(In):
    name: Text = Field(max_length=200)
    time_zone: Text = Field(max_length=64)


class ProvenIn(In):
    """The present password, where the sign-in is older than 15 minutes."""

    password: Text = Field("", max_length=2000)


class AppSetupOut(Schema):
    key: str
    uri: str
    setup: str


class AppIn(In):
    setup: Text = Field(max_length=2000)
    code: Text = Field(max_length=40)
    password: Text = Field("", max_length=2000)


class CodesOut(Schema):
    """Recovery codes, shown this once; empty where there were some already."""

    recovery_codes: list[str]


class FactorOut(Schema):
    id: int
    kind: str
    name: str
    created_at: dt.datetime
    last_used_at: dt.datetime | None


class FactorsOut(Schema):
    app: FactorOut | None
    keys: list[FactorOut]
    codes_left: int


class SessionOut(Schema):
    id: uuid.UUID
    kind: str
    device: str
    how: str
    address: str
    started_at: dt.datetime
    last_used_at: dt.datetime
    ends_at: dt.datetime
    current: bool


class SessionsOut(Schema):
    items: list[SessionOut]


class SignInOut(Schema):
    id: uuid.UUID
    at: dt.datetime
    result: str
    how: str
    reason: str
    address: str
    device: str


class SignInsOut(Schema):
    items: list[SignInOut]


class PolicyIn(In):
    required: bool


class RefreshIn(In):
    refresh_token: Text = Field(max_length=400)


class TokensOut(Schema):
    access_token: str
    token_type: Literal["Bearer"] = "Bearer"  # noqa: S105 - the name of a scheme
    expires_in: int
    refresh_token: str
    refresh_expires_in: int


class TenantOut(Schema):
    id: uuid.UUID
    slug: str
    name: str
    role: str


class MeOut(Schema):
    id: uuid.UUID
    name: str
    email: str
    kind: str
    tenant: str
    role: str
    permissions: list[str]
    capabilities: list[str]
    tenants: list[TenantOut]


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
