"""Schemas of the API about accounts, signing in and what protects an account."""

from __future__ import annotations

import datetime as dt
import uuid
from typing import Literal

from ninja import Schema
from pydantic import Field

from imagefactory.entry.api.schemas import In, TenantOut, Text


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
