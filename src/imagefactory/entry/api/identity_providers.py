"""How people and CI jobs of a tenant sign in: identity providers, and the rules by which CI jobs are believed."""

from __future__ import annotations

import dataclasses
import datetime as dt
import uuid
from collections.abc import Sequence
from typing import Any, Literal

from django.http import HttpRequest
from ninja import Router, Schema, Status
from pydantic import Field

from imagefactory.domain.identity import policies, selectors, services
from imagefactory.domain.identity.selectors import ProviderView, RoleRow
from imagefactory.domain.identity.services import CiTrustForm, ProviderForm
from imagefactory.entry.api.idempotency import once
from imagefactory.entry.api.schemas import In, Text
from imagefactory.entry.api.security import actor, needs
from imagefactory.entry.http import role_lines
from imagefactory.entry.http.actors import anonymous
from imagefactory.kernel.actor import Actor
from imagefactory.kernel.authorize import authorize

router = Router(tags=["identity-providers"])
trust = Router(tags=["ci-trust"])
exchange = Router(tags=["auth"])
# Owners only, and in person: `policies.may_manage_providers`.
MANAGE = needs("owner")


class RoleIn(In):
    """`place` is a project (slug); in an installation's provider `team/project`, and a team alone for owners."""

    group: Text = Field("", max_length=400, description="Empty: everyone who comes through the provider.")
    role: Literal["owner", "admin", "member", "viewer"]
    place: Text = Field("", max_length=200)


class ProviderIn(In):
    """`secret` is written and never read; left out in a change, the stored one stays."""

    name: Text = Field(max_length=200)
    configuration: dict[str, str | bool]
    domains: list[Text] = Field(max_length=100)
    roles: list[RoleIn] = Field(default_factory=list, max_length=200)
    creates_people: bool = False
    enabled: bool = True
    secret: Text | None = Field(None, max_length=5000)


class NewProviderIn(ProviderIn):
    kind: Literal["oidc", "saml", "ldap"]


class RoleOut(Schema):
    group: str
    role: str
    place: str


class ProviderOut(Schema):
    id: uuid.UUID
    kind: str
    name: str
    enabled: bool
    configuration: dict[str, Any]
    has_secret: bool
    domains: Sequence[str]
    domains_confirmed: bool
    creates_people: bool
    people: int
    version: int


class ProviderFullOut(ProviderOut):
    roles: list[RoleOut]


class ProvidersOut(Schema):
    items: list[ProviderOut]
    required: bool


class CheckOut(Schema):
    name: str
    ok: bool | None
    sentence: str


class RequiredIn(In):
    required: bool


class CiTrustIn(In):
    """`claims`: claim -> pattern, where `*` stands for any characters but a slash."""

    name: Text = Field(max_length=200)
    issuer: Text = Field(max_length=600)
    audience: Text = Field(max_length=300)
    claims: dict[str, Text] = Field(max_length=50)
    projects: list[uuid.UUID] = Field(max_length=200)
    permissions: list[Text] = Field(max_length=100)
    minutes: int = 15
    enabled: bool = True


class CiTrustOut(Schema):
    id: uuid.UUID
    name: str
    enabled: bool
    issuer: str
    audience: str
    claims: dict[str, str]
    projects: Sequence[uuid.UUID] = Field(alias="project_ids")
    permissions: Sequence[str]
    minutes: int
    last_used_at: dt.datetime | None


class CiTokenIn(In):
    token: Text = Field(max_length=20_000)
    tenant: Text = Field(max_length=64, description="Slug or id.")


class CiKeyOut(Schema):
    key: str
    expires_at: dt.datetime
    rule: str


class MadeOut(Schema):
    id: uuid.UUID


def _form(who: Actor, tenant_id: uuid.UUID | None, body: ProviderIn) -> ProviderForm:
    authorize(policies.may_manage_providers(who, tenant_id))
    roles = [role_lines.row_of(who, tenant_id, r.group, r.role, r.place) for r in body.roles]
    return ProviderForm(
        body.name, body.configuration, body.domains, roles, body.creates_people, body.enabled, body.secret or None
    )


def _full(found: ProviderView) -> dict[str, Any]:
    shared = found.tenant_id is None
    roles = [_role(r, of_installation=shared) for r in found.roles]
    return {**{f.name: getattr(found, f.name) for f in dataclasses.fields(found)}, "roles": roles}


def _role(row: RoleRow, *, of_installation: bool) -> dict[str, str]:
    place = role_lines.place(row, of_installation=of_installation).strip()
    return {"group": row.group, "role": row.role, "place": place}


def _scope(who: Actor, *, of_installation: bool) -> uuid.UUID | None:
    return None if of_installation else selectors.require_tenant(who)


@router.get("", response=ProvidersOut, openapi_extra=MANAGE)
def list_identity_providers(request: HttpRequest, installation: bool = False) -> Any:
    """Return the tenant's sign-in providers, or with `installation` everyone's (administrators)."""
    who = actor(request)
    tenant_id = _scope(who, of_installation=installation)
    return {
        "items": selectors.list_providers(who, tenant_id),
        "required": tenant_id is not None and selectors.member_rules(who).sso,
    }


@router.post("", response={201: MadeOut}, openapi_extra=MANAGE)
@once
def create_identity_provider(request: HttpRequest, body: NewProviderIn, installation: bool = False) -> Status[Any]:
    """Set a provider up, for the tenant or (system administrators) for the installation."""
    who = actor(request)
    form = _form(who, _scope(who, of_installation=installation), body)
    made = services.create_provider(who, body.kind, form, of_installation=installation)
    return Status(201, {"id": made})


@router.put("/required", response={204: None}, openapi_extra=MANAGE)
def require_sso(request: HttpRequest, body: RequiredIn) -> Status[None]:
    """Say whether members must come through a provider; owners may always use their password."""
    services.require_sso(actor(request), required=body.required)
    return Status(204, None)


@router.get("/{uuid:provider_id}", response=ProviderFullOut, openapi_extra=MANAGE)
def get_identity_provider(request: HttpRequest, provider_id: uuid.UUID) -> Any:
    """Return a provider, without its secret."""
    return _full(selectors.get_provider(actor(request), provider_id))


@router.put("/{uuid:provider_id}", response=ProviderFullOut, openapi_extra=MANAGE)
def change_identity_provider(request: HttpRequest, provider_id: uuid.UUID, body: ProviderIn) -> Any:
    """Change a provider as a whole."""
    who = actor(request)
    found = selectors.get_provider(who, provider_id)
    services.update_provider(who, provider_id, _form(who, found.tenant_id, body))
    return _full(selectors.get_provider(who, provider_id))


@router.delete("/{uuid:provider_id}", response={204: None}, openapi_extra=MANAGE)
def delete_identity_provider(request: HttpRequest, provider_id: uuid.UUID) -> Status[None]:
    """Delete a provider; whoever came through it is signed out."""
    services.delete_provider(actor(request), provider_id)
    return Status(204, None)


@router.post("/{uuid:provider_id}/test", response=list[CheckOut], openapi_extra=MANAGE)
def test_identity_provider(request: HttpRequest, provider_id: uuid.UUID) -> Any:
    """Try a provider, and return each step with its result."""
    return services.check_provider(actor(request), provider_id)


@router.post("/{uuid:provider_id}/confirm-domains", response={204: None}, openapi_extra=needs("administrator"))
def confirm_domains(request: HttpRequest, provider_id: uuid.UUID) -> Status[None]:
    """Confirm, as a system administrator, that a tenant owns the domains of its provider."""
    services.confirm_domains(actor(request), provider_id)
    return Status(204, None)


def _ci_form(who: Actor, body: CiTrustIn) -> CiTrustForm:
    authorize(policies.may_manage_providers(who, selectors.require_tenant(who)))
    projects = role_lines.own_projects(who, body.projects)
    return CiTrustForm(
        body.name, body.issuer, body.audience, body.claims, projects, body.permissions, body.minutes, body.enabled
    )


@trust.get("", response=list[CiTrustOut], openapi_extra=MANAGE)
def list_ci_trust(request: HttpRequest) -> Any:
    """Return the rules by which CI jobs are believed."""
    return selectors.list_ci_trust(actor(request))


@trust.post("", response={201: MadeOut}, openapi_extra=MANAGE)
@once
def create_ci_trust(request: HttpRequest, body: CiTrustIn) -> Status[Any]:
    """Make a rule."""
    who = actor(request)
    return Status(201, {"id": services.create_ci_trust(who, _ci_form(who, body))})


@trust.put("/{uuid:trust_id}", response=CiTrustOut, openapi_extra=MANAGE)
def change_ci_trust(request: HttpRequest, trust_id: uuid.UUID, body: CiTrustIn) -> Any:
    """Change a rule as a whole."""
    who = actor(request)
    selectors.get_ci_trust(who, trust_id)
    services.update_ci_trust(who, trust_id, _ci_form(who, body))
    return selectors.get_ci_trust(who, trust_id)


@trust.delete("/{uuid:trust_id}", response={204: None}, openapi_extra=MANAGE)
def delete_ci_trust(request: HttpRequest, trust_id: uuid.UUID) -> Status[None]:
    """Delete a rule; its jobs get no more keys."""
    services.delete_ci_trust(actor(request), trust_id)
    return Status(204, None)


@exchange.post("/ci-token", response={201: CiKeyOut}, auth=None, openapi_extra=needs("none"))
def exchange_ci_token(request: HttpRequest, body: CiTokenIn) -> Status[Any]:
    """Exchange the token that a CI system signed for one of its jobs, once, for a key that lives for minutes."""
    key = services.exchange_ci_token(anonymous(request), body.token, body.tenant)
    return Status(201, {"key": key.text, "expires_at": key.expires_at, "rule": key.rule_name})
