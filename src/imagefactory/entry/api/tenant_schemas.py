"""Shapes of requests and answers about tenants, and of the administration."""

from __future__ import annotations

import datetime as dt
import uuid
from typing import Literal

from ninja import Schema
from pydantic import Field

from imagefactory.domain.identity.permissions import Capability
from imagefactory.entry.api.schemas import In, TenantOut, Text

Reason = Text


class TenantsOut(Schema):
    items: list[TenantOut]


class TenantIn(In):
    name: Text = Field(max_length=200)
    slug: Text = Field("", max_length=60)


class TenantChange(In):
    """`slug` may be sent as it is; it cannot be changed."""

    name: Text | None = Field(None, max_length=200)
    slug: Text | None = Field(None, max_length=60)
    time_zone: Text | None = Field(None, max_length=64)
    language: Text | None = Field(None, max_length=8)
    contact_email: Text | None = Field(None, max_length=300)
    support_email: Text | None = Field(None, max_length=300)


class TenantProfileOut(Schema):
    id: uuid.UUID
    slug: str
    name: str
    time_zone: str
    language: str
    contact_email: str
    support_email: str
    state: str
    state_reason: str
    delete_after: dt.datetime | None
    capabilities: dict[str, bool]
    has_logo: bool
    version: int
    created_at: dt.datetime


class ReasonIn(In):
    reason: Text = Field(max_length=1000)


class TenantDeleteIn(In):
    """`confirm` is the tenant's short name."""

    confirm: Text = Field(max_length=60)
    reason: Text = Field(max_length=1000)


class MessageIn(In):
    message: Text = Field("", max_length=1000)


class TenantExportOut(Schema):
    id: uuid.UUID
    status: str
    requested_by_name: str
    created_at: dt.datetime
    size_bytes: int
    failure: str
    expires_at: dt.datetime | None


class ExportsOut(Schema):
    items: list[TenantExportOut]


class AdminTenantIn(In):
    name: Text = Field(max_length=200)
    slug: Text = Field("", max_length=60)
    owner_email: Text = Field(max_length=300)


class TenantRowOut(Schema):
    id: uuid.UUID
    slug: str
    name: str
    state: str
    capabilities: list[str]
    members: int
    created_at: dt.datetime


class TenantRowsOut(Schema):
    items: list[TenantRowOut]
    next_cursor: str
    total: int


class DecisionOut(Schema):
    what: str
    before: str
    after: str
    reason: str
    by_name: str
    at: dt.datetime


class DecisionsOut(Schema):
    items: list[DecisionOut]


class CapabilitiesIn(In):
    """Switches of capabilities for several tenants, all or none; tenants by slug or id."""

    tenants: list[Text] = Field(max_length=200)
    capabilities: dict[Capability, bool]
    reason: Text = Field(max_length=1000)


class MovedOut(Schema):
    moved: int


class PersonRowOut(Schema):
    id: uuid.UUID
    name: str
    email: str
    active: bool
    system_roles: list[str]
    tenants: int
    last_sign_in: dt.datetime | None
    created_at: dt.datetime


class PersonRowsOut(Schema):
    items: list[PersonRowOut]
    next_cursor: str
    total: int


class AdminSessionOut(Schema):
    id: uuid.UUID
    kind: str
    device: str
    address: str
    started_at: dt.datetime
    last_used_at: dt.datetime
    ends_at: dt.datetime


class PersonOut(Schema):
    row: PersonRowOut
    time_zone: str
    tenants: list[TenantOut]
    sessions: list[AdminSessionOut]
    must_change_password: bool
    has_second_factor: bool


class NewsOut(Schema):
    """Whether something changed, or was so already."""

    changed: bool


TenantAction = Literal["approve", "refuse", "suspend", "lift", "keep"]
AccountAction = Literal["suspend", "restore", "end-sessions", "unlock", "force-password-change", "reset-second-factors"]
