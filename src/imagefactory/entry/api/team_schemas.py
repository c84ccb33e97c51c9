"""Shapes of requests and answers about members, invitations, roles and requests for access."""

from __future__ import annotations

import datetime as dt
import uuid

from ninja import Schema
from pydantic import Field

from imagefactory.entry.api.schemas import In, Text


class HeldOut(Schema):
    role: str
    role_id: uuid.UUID | None = None
    project: str | None = None


class MemberOut(Schema):
    id: uuid.UUID
    name: str
    email: str
    roles: list[HeldOut]
    joined_at: dt.datetime
    invited_by: str
    last_active_at: dt.datetime | None
    second_factor: bool | None = Field(description="Empty for those who do not manage a team.")


class MembersOut(Schema):
    items: list[MemberOut]
    next_cursor: str
    total: int


class RolesIn(In):
    """Only the places that are named change. A role is `owner`, `admin`, `member`, `viewer`, a role's id, or empty."""

    tenant: Text | None = Field(None, max_length=40)
    projects: dict[str, Text] = Field(default_factory=dict, max_length=200)


class RoleKeyIn(In):
    role: Text = Field(max_length=40)


class RemovalOut(Schema):
    keys: int
    invitations: int
    projects_without_admin: list[str]
    last_owner: bool


class InviteIn(In):
    emails: list[Text] = Field(max_length=60)
    role: Text = Field(max_length=40)
    projects: list[Text] = Field(default_factory=list, max_length=120)
    message: Text = Field("", max_length=2000)
    days: int = Field(7, ge=-1, le=10_000)


class InvitationOut(Schema):
    id: uuid.UUID
    email: str
    role: str
    role_id: uuid.UUID | None
    projects: list[str]
    message: str
    state: str
    void_because: str
    invited_by: str
    sent_at: dt.datetime
    expires_at: dt.datetime


class SentOut(InvitationOut):
    """`link` is there only where no mail is sent: its maker hands it on. It is not shown again."""

    link: str | None = None


class SentsOut(Schema):
    items: list[SentOut]


class InvitationsOut(Schema):
    items: list[InvitationOut]
    next_cursor: str


class TokenIn(In):
    token: Text = Field(max_length=200)


class JoinIn(TokenIn):
    name: Text = Field(max_length=200)
    password: Text = Field(max_length=2000)
    time_zone: Text = Field("UTC", max_length=64)


class OfferOut(Schema):
    """What a link offers. `why_not` is empty when it can be accepted."""

    email: str
    tenant: str
    tenant_name: str
    inviter: str
    role: str
    permissions: list[str]
    message: str
    expires_at: dt.datetime
    why_not: str


class JoinedOut(Schema):
    user_id: uuid.UUID
    tenant: str


class RoleIn(In):
    name: Text = Field(max_length=200)
    description: Text = Field("", max_length=2000)
    scope: Text = Field("project", max_length=20)
    permissions: list[Text] = Field(max_length=50)


class RoleChange(In):
    name: Text | None = Field(None, max_length=200)
    description: Text | None = Field(None, max_length=2000)
    permissions: list[Text] | None = Field(None, max_length=50)


class RoleOut(Schema):
    """A role; the four built-in ones have no id and cannot be changed."""

    id: uuid.UUID | None
    key: str
    name: str
    description: str
    scope: str
    permissions: list[str]
    held: int | None = None
    version: int | None = None


class TeamRolesOut(Schema):
    items: list[RoleOut]


class AccessIn(In):
    permission: Text = Field(max_length=60)
    project: Text = Field("", max_length=64)
    message: Text = Field("", max_length=2000)


class GrantIn(In):
    role: Text = Field("", max_length=40)
    project: Text = Field("", max_length=64)


class DeclineIn(In):
    reason: Text = Field("", max_length=2000)


class AccessOut(Schema):
    id: uuid.UUID
    user_id: uuid.UUID
    user_name: str
    permission: str
    project: str | None
    message: str
    state: str
    reason: str
    decided_by: str
    created_at: dt.datetime


class AccessesOut(Schema):
    items: list[AccessOut]
