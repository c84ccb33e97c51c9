"""Shapes of requests and answers about keys, service accounts and networks."""

from __future__ import annotations

import datetime as dt
import uuid
from typing import Annotated

from ninja import Schema
from pydantic import Field, StringConstraints

from imagefactory.entry.api.schemas import In, Text

ProjectName = Annotated[str, StringConstraints(pattern=r"^[^\x00]*$", max_length=64)]
Projects = Annotated[
    list[ProjectName] | None, Field(max_length=200, description="Slugs or ids; left out, all that one may see.")
]


class KeyIn(In):
    name: Text = Field(max_length=200)
    scopes: list[Text] | None = Field(None, max_length=50, description="Permissions; left out, all that one has.")
    days: int = Field(90, ge=-1, le=10_000)
    projects: Projects = None
    note: Text = Field("", max_length=1000)


class KeyOut(Schema):
    id: uuid.UUID
    kind: str
    name: str
    note: str
    prefix: str
    scopes: list[str]
    project_ids: list[uuid.UUID] | None
    holder: str
    service_account_id: uuid.UUID | None
    created_at: dt.datetime
    expires_at: dt.datetime
    expired: bool
    last_used_at: dt.datetime | None
    last_used_address: str
    replaced: bool = Field(description="A successor was made by a rotation, and this one ends at `expires_at`.")
    replaces_prefix: str = Field(description="Prefix of the key before this one, while that one still works.")


class KeysOut(Schema):
    items: list[KeyOut]
    next_cursor: str = ""


class NewKeyOut(Schema):
    id: uuid.UUID
    name: str
    key: str
    expires_at: dt.datetime


class RotateIn(In):
    overlap_hours: int = Field(24, ge=-1, le=10_000, description="How long the old key works on: 0 to 168 hours.")


class RotatedOut(NewKeyOut):
    old_key_id: uuid.UUID
    old_key_works_until: dt.datetime


class KeyPolicyIn(In):
    days_max: int | None = Field(None, ge=-1, le=10_000, description="Longest life of new keys; null for no rule.")


class KeyPolicyOut(Schema):
    days_max: int


class ServiceAccountIn(In):
    name: Text = Field(max_length=200)
    contact_email: Text = Field(max_length=300)
    description: Text = Field("", max_length=1000)
    role: Text = Field("", max_length=20, description="admin, member or viewer; or empty, with `permissions`.")
    permissions: list[Text] = Field(default_factory=list, max_length=50)
    projects: Projects = None


class ServiceAccountChange(In):
    name: Text | None = Field(None, max_length=200)
    contact_email: Text | None = Field(None, max_length=300)
    description: Text | None = Field(None, max_length=1000)
    role: Text | None = Field(None, max_length=20)
    permissions: list[Text] | None = Field(None, max_length=50)
    projects: Projects = None
    whole_tenant: bool = Field(False, description="True lets the account work in all projects.")
    disabled: bool | None = None
    take_over: bool = Field(False, description="True makes whoever asks the one who answers for the account.")


class ServiceAccountOut(Schema):
    id: uuid.UUID
    name: str
    description: str
    contact_email: str
    role: str
    permissions: list[str]
    project_ids: list[uuid.UUID] | None
    keeper: str
    needs_review: bool = Field(description="Who answers for it has left the tenant.")
    disabled: bool
    keys: int
    last_used_at: dt.datetime | None
    created_at: dt.datetime


class ServiceAccountsOut(Schema):
    items: list[ServiceAccountOut]


class NetworkEntry(In):
    cidr: Text = Field(max_length=100)
    note: Text = Field("", max_length=300)


class NetworksIn(In):
    networks: list[NetworkEntry] = Field(max_length=1000)
    for_sessions: bool = Field(False, description="True holds people's sign-ins to the list too, and not only keys.")
    confirmed: bool = Field(False, description="True accepts that keys stop working at one's own address.")


class NetworkOut(Schema):
    cidr: str
    note: str


class NetworksOut(Schema):
    networks: list[NetworkOut]
    for_sessions: bool
    version: int
