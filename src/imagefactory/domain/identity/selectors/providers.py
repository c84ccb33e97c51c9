"""Identity providers as their managers see them, as the sign-in page shows them, and as the code behind both needs them."""

from __future__ import annotations

import dataclasses
import datetime as dt
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from django.db.models import Count, Q

from imagefactory.domain.identity import policies
from imagefactory.domain.identity.errors import ProviderNotFound
from imagefactory.domain.identity.models import ExternalIdentity, IdentityProvider, Membership, ProviderRole, Tenant
from imagefactory.domain.identity.states import ProviderKind
from imagefactory.kernel import secrets
from imagefactory.kernel.actor import Actor, ActorKind
from imagefactory.kernel.authorize import authorize

MOST = 100  # providers of one tenant, and of the installation


@dataclasses.dataclass(frozen=True)
class RoleRow:
    """A role that a provider gives: to everyone (`group` empty) or to a group."""

    tenant_id: uuid.UUID
    group: str
    role: str
    project_id: uuid.UUID | None


@dataclasses.dataclass(frozen=True)
class ProviderView:
    """A provider without its secret."""

    id: uuid.UUID
    tenant_id: uuid.UUID | None
    kind: str
    name: str
    enabled: bool
    configuration: Mapping[str, Any]
    has_secret: bool
    domains: Sequence[str]
    domains_confirmed: bool
    creates_people: bool
    version: int
    created_at: dt.datetime
    people: int = 0
    roles: Sequence[RoleRow] = ()


@dataclasses.dataclass(frozen=True)
class ProviderButton:
    """What the sign-in page shows of a provider."""

    name: str
    url: str


@dataclasses.dataclass(frozen=True)
class ProviderConnection:
    """A provider with its secret, for the code that speaks with it. Never handed to a page."""

    id: uuid.UUID
    tenant_id: uuid.UUID | None
    tenant_slug: str
    kind: str
    name: str
    configuration: Mapping[str, Any]
    secret: str = dataclasses.field(repr=False)


@dataclasses.dataclass(frozen=True)
class LinkView:
    """A provider that a person is known to, as they see it themselves."""

    id: uuid.UUID
    provider_name: str
    tenant_name: str
    confirmed: bool
    ended: bool
    last_sign_in_at: dt.datetime | None


def provider_row(actor: Actor, provider_id: uuid.UUID) -> IdentityProvider:
    """Return the row, for this app's services.

    Raises ProviderNotFound for what the actor may not know of, PermissionDenied for a member who is not an owner.
    """
    row = IdentityProvider.objects.filter(id=provider_id).first()
    if row is None or (row.tenant_id is not None and row.tenant_id != actor.tenant):
        raise ProviderNotFound
    if row.tenant_id is None and not (actor.sees_installation or actor.kind is ActorKind.SYSTEM):
        raise ProviderNotFound
    if row.tenant_id is not None:
        authorize(policies.may_manage_providers(actor, row.tenant_id))
    return row


def get_provider(actor: Actor, provider_id: uuid.UUID) -> ProviderView:
    """Return one provider with its roles.

    Raises ProviderNotFound, PermissionDenied.
    """
    row = provider_row(actor, provider_id)
    roles = ProviderRole.objects.filter(provider=row).order_by("group", "role", "id")
    people = ExternalIdentity.objects.filter(provider=row, ended_at=None).count()
    return _view(row, people, [RoleRow(r.tenant_id, r.group, r.role, r.project_id) for r in roles])


def list_providers(actor: Actor, tenant_id: uuid.UUID | None) -> list[ProviderView]:
    """Return the providers of the actor's tenant, or of the installation for None, by name.

    Raises PermissionDenied, and NotFound for the installation's to whoever holds no system role.
    """
    if tenant_id is None:
        authorize(policies.may_see_installation(actor))
    else:
        authorize(policies.may_manage_providers(actor, tenant_id))
    rows = IdentityProvider.objects.filter(tenant=tenant_id).order_by("name")[:MOST]
    counted = ExternalIdentity.objects.filter(provider__in=[r.id for r in rows], ended_at=None)
    people = dict(counted.values_list("provider_id").annotate(Count("id")).order_by())
    return [_view(r, people.get(r.id, 0)) for r in rows]


def _view(row: IdentityProvider, people: int = 0, roles: Sequence[RoleRow] = ()) -> ProviderView:
    return ProviderView(
        row.id, row.tenant_id, row.kind, row.name, row.enabled, row.configuration, row.secret is not None, row.domains,
        row.domains_confirmed, row.creates_people, row.version, row.created_at, people, roles,
    )  # fmt: skip


def tenant_named(actor: Actor, slug: str) -> uuid.UUID | None:
    """Return the tenant with this slug, for administrators who name it in an installation's provider."""
    authorize(policies.may_see_installation(actor))
    return Tenant.objects.filter(slug=slug).values_list("id", flat=True).first()


def waiting_domains(actor: Actor) -> list[tuple[ProviderView, str]]:
    """Return the tenants' providers whose domains nobody confirmed yet, with the tenant's name; for administrators."""
    authorize(policies.may_see_installation(actor))
    rows = IdentityProvider.objects.filter(tenant__isnull=False, domains_confirmed=False).exclude(domains=[])
    return [(_view(r), r.tenant.name) for r in rows.select_related("tenant").order_by("created_at")[:MOST] if r.tenant]


def connection(provider_id: uuid.UUID, *, enabled_only: bool = True) -> ProviderConnection:
    """Return what is needed to speak with a provider; for the doors of sign-in, which have no actor yet.

    Raises ProviderNotFound, Unavailable when its secret cannot be read.
    """
    row = IdentityProvider.objects.filter(id=provider_id).select_related("tenant").first()
    if row is None or (enabled_only and not row.enabled):
        raise ProviderNotFound
    secret = secrets.decrypt(bytes(row.secret)) if row.secret is not None else ""
    slug = row.tenant.slug if row.tenant else ""
    return ProviderConnection(row.id, row.tenant_id, slug, row.kind, row.name, row.configuration, secret)


def directories() -> list[uuid.UUID]:
    """Return the enabled directories, for the job that looks who left them."""
    rows = IdentityProvider.objects.filter(kind=ProviderKind.LDAP, enabled=True).order_by("id")
    return list(rows.values_list("id", flat=True)[:10_000])


def installation_buttons() -> list[ProviderButton]:
    """Return the installation's providers, which the sign-in page shows to everyone."""
    return _buttons(Q(tenant=None))


def buttons_for_address(email: str, tenant: str = "") -> list[ProviderButton]:
    """Return the providers for a typed e-mail address, at the sign-in page of a tenant or at everyone's.

    A stranger who names a tenant learns nothing unless they also know a domain that its provider speaks for; at
    everyone's page a tenant's provider shows only for domains that an administrator confirmed.
    """
    domain = email.rpartition("@")[2].strip().lower()
    if not domain or "@" not in email:
        return []
    speaks = Q(domains__contains=[domain])
    if tenant:
        return _buttons(speaks & Q(tenant__in=Tenant.objects.filter(slug=tenant)))
    return _buttons(speaks & (Q(domains_confirmed=True) | Q(tenant=None)))


def _buttons(which: Q) -> list[ProviderButton]:
    rows = IdentityProvider.objects.filter(which, enabled=True).order_by("name")
    return [ProviderButton(name, f"/sso/{pk}/start") for pk, name in rows.values_list("id", "name")[:20]]


def links_of(actor: Actor) -> list[LinkView]:
    """Return the providers that know the actor."""
    found = ExternalIdentity.objects.filter(user_id=actor.person).select_related("provider", "provider__tenant")
    return [
        LinkView(
            i.id, i.provider.name, i.provider.tenant.name if i.provider.tenant else "", i.confirmed_at is not None,
            i.ended_at is not None, i.last_sign_in_at,
        )
        for i in found.order_by("provider__name")[:MOST]
    ]  # fmt: skip


@dataclasses.dataclass(frozen=True)
class LinkChoice:
    """A provider that a person may link to their account."""

    id: uuid.UUID
    name: str
    tenant_name: str


def linkable(actor: Actor) -> list[LinkChoice]:
    """Return the enabled providers that the actor may link: of the installation, and of the tenants they belong to."""
    mine = Membership.objects.filter(user_id=actor.person).values("tenant_id")
    rows = IdentityProvider.objects.filter(Q(tenant=None) | Q(tenant_id__in=mine), enabled=True).select_related(
        "tenant"
    )
    return [LinkChoice(r.id, r.name, r.tenant.name if r.tenant else "") for r in rows.order_by("name")[:MOST]]


@dataclasses.dataclass(frozen=True)
class MemberRules:
    """How members of a tenant must sign in."""

    sso: bool = False
    second_factor: bool = False


def member_rules(actor: Actor) -> MemberRules:
    """Return how members of the actor's tenant must sign in."""
    row = Tenant.objects.filter(id=actor.tenant).values_list("requires_sso", "second_factor_required").first()
    return MemberRules(*row) if row else MemberRules()


def people_known_to(provider_id: uuid.UUID, after: uuid.UUID | None, limit: int) -> list[tuple[uuid.UUID, str]]:
    """Return (identity, subject) of the people whom a provider knows, by id, for the job that looks who left."""
    found = ExternalIdentity.objects.filter(provider_id=provider_id, ended_at=None).order_by("id")
    return list((found.filter(id__gt=after) if after else found).values_list("id", "subject")[:limit])
