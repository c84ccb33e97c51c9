"""Who is this, where do they belong, what may they do? Reads only."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime as dt
import uuid
import zoneinfo
from collections.abc import Sequence

from django.db.models import Q, Value
from django.db.models.functions import Lower

from imagefactory.domain.identity.errors import TenantNotFound
from imagefactory.domain.identity.models import ApiKey, AuthSession, Membership, RoleBinding, Tenant, User
from imagefactory.domain.identity.permissions import ROLE_PERMISSIONS, Capability, Role
from imagefactory.domain.identity.states import TokenKind
from imagefactory.kernel.actor import Actor, ActorKind
from imagefactory.kernel.clock import now
from imagefactory.kernel.errors import TenantRequired, TokenExpired, Unauthorized
from imagefactory.kernel.ids import digest


@dataclasses.dataclass(frozen=True)
class TenantView:
    """A tenant as its members see it in lists."""

    id: uuid.UUID
    slug: str
    name: str
    role: str


def tenants_of(user_id: uuid.UUID) -> list[TenantView]:
    """Return the tenants that a person belongs to, by name, with their highest role in each."""
    bindings: dict[uuid.UUID, set[str]] = {}
    for tenant_id, role in RoleBinding.objects.filter(user_id=user_id).values_list("tenant_id", "role"):
        bindings.setdefault(tenant_id, set()).add(role)
    tenants = Tenant.objects.filter(id__in=Membership.objects.filter(user_id=user_id).values("tenant_id")).order_by(
        "name", "slug"
    )
    return [TenantView(t.id, t.slug, t.name, _highest(bindings.get(t.id, set()))) for t in tenants]


def _highest(roles: set[str]) -> str:
    return next((str(r) for r in Role if r in roles), "")


def _tenant_of(user: User, wanted: str | None) -> Tenant | None:
    mine = Tenant.objects.filter(id__in=Membership.objects.filter(user=user).values("tenant_id"))
    if wanted:
        match = Q(slug=wanted)
        with contextlib.suppress(ValueError):
            match |= Q(id=uuid.UUID(wanted))
        tenant = mine.filter(match).first()
        if tenant is None:
            raise TenantNotFound
        return tenant
    few = list(mine[:2])
    return few[0] if len(few) == 1 else None


def _capabilities(tenant: Tenant) -> frozenset[str]:
    held = {
        Capability.BUILD: tenant.may_build,
        Capability.QUARANTINE_REQUEST: tenant.may_quarantine_request,
        Capability.QUARANTINE_RELEASE: tenant.may_quarantine_release,
        Capability.ONDEMAND_IMAGE_SCANNING: tenant.may_ondemand_image_scanning,
    }
    return frozenset(str(c) for c, on in held.items() if on)


def _permissions(
    user_id: uuid.UUID, tenant_id: uuid.UUID, scopes: Sequence[str] | None
) -> tuple[frozenset[str], dict[uuid.UUID, frozenset[str]], str]:
    everywhere: frozenset[str] = frozenset()
    by_project: dict[uuid.UUID, frozenset[str]] = {}
    roles: set[str] = set()
    for role, project_id in RoleBinding.objects.filter(user_id=user_id, tenant_id=tenant_id).values_list(
        "role", "project_id"
    ):
        roles.add(role)
        held: frozenset[str] = frozenset(str(p) for p in ROLE_PERMISSIONS[Role(role)])
        if scopes is not None:
            held &= frozenset(scopes)
        if project_id is None:
            everywhere |= held
        else:
            by_project[project_id] = held
    return everywhere, by_project, _highest(roles)


def _actor(
    user: User,
    tenant: Tenant | None,
    kind: ActorKind,
    request_id: str,
    address: str,
    key: ApiKey | None = None,
) -> Actor:
    everywhere, by_project, role = frozenset[str](), dict[uuid.UUID, frozenset[str]](), ""
    if tenant is not None:
        everywhere, by_project, role = _permissions(user.id, tenant.id, key.scopes if key else None)
    return Actor(
        kind=kind,
        name=user.name,
        user_id=user.id,
        email=user.email,
        tenant_id=tenant.id if tenant else None,
        tenant_slug=tenant.slug if tenant else "",
        role=role,
        tenant_permissions=everywhere,
        project_permissions=by_project,
        capabilities=_capabilities(tenant) if tenant else frozenset(),
        # A key is for one tenant's work; it never carries rights over the installation.
        is_system_admin=user.is_system_admin and key is None,
        is_reviewer=user.is_reviewer and key is None,
        key_id=key.id if key else None,
        request_id=request_id,
        address=address,
    )


def actor_for_user(user_id: uuid.UUID, tenant: str | None = None, *, request_id: str = "", address: str = "") -> Actor:
    """Return the actor of a signed-in person, in the tenant with this slug or id, or in their only one.

    Raises TenantNotFound when they do not belong to it, Unauthorized when the account is gone or off.
    """
    user = User.objects.filter(id=user_id, is_active=True).first()
    if user is None:
        raise Unauthorized("This account is no longer active. Ask an owner of your team.")
    return _actor(user, _tenant_of(user, tenant), ActorKind.USER, request_id, address)


def actor_for_token(token: str, tenant: str | None = None, *, request_id: str = "", address: str = "") -> Actor:
    """Return the actor of a bearer token: an API key or an access token.

    Raises Unauthorized for anything else (a refresh token too), TokenExpired when its time is over.
    """
    kind, _, rest = token.partition("_")
    if kind == TokenKind.API_KEY:
        return _actor_for_key(rest, tenant, request_id, address)
    if kind != TokenKind.ACCESS:
        raise Unauthorized("This is not an access token or an API key. Sign in, or make a key in your account.")
    session = AuthSession.objects.filter(access_hash=digest(token), revoked_at=None).select_related("user").first()
    if session is None or not session.user.is_active:
        raise Unauthorized("This token is not valid, or was signed out. Sign in again.")
    if session.access_expires_at <= now():
        raise TokenExpired("This access token has expired. Get a new one with the refresh token.")
    return _actor(session.user, _tenant_of(session.user, tenant), ActorKind.USER, request_id, address)


def _actor_for_key(rest: str, tenant: str | None, request_id: str, address: str) -> Actor:
    prefix, _, secret = rest.partition("_")
    key = ApiKey.objects.filter(prefix=prefix, secret_hash=digest(secret)).select_related("user", "tenant").first()
    if key is None or key.revoked_at is not None or not key.user.is_active:
        raise Unauthorized("This API key is not valid, or was revoked. Make a new one in your account.")
    if key.expires_at <= now():
        raise TokenExpired(f"This API key expired on {key.expires_at:%-d %B %Y}. Make a new one in your account.")
    if not Membership.objects.filter(user=key.user, tenant=key.tenant).exists():
        raise Unauthorized("The owner of this API key no longer belongs to its tenant.")
    if tenant and tenant not in {key.tenant.slug, str(key.tenant_id)}:
        raise TenantNotFound
    if key.last_used_at is None or now() - key.last_used_at > dt.timedelta(minutes=1):
        ApiKey.objects.filter(id=key.id).update(last_used_at=now())  # at most once a minute: a hot row otherwise
    return _actor(key.user, key.tenant, ActorKind.API_KEY, request_id, address, key)


def require_tenant(actor: Actor) -> uuid.UUID:
    """Return the actor's tenant.

    Raises TenantRequired when none was named and it cannot be derived.
    """
    if actor.tenant_id is None:
        raise TenantRequired("Say which tenant this is for: set the header X-Tenant-ID to its slug or id.")
    return actor.tenant_id


@dataclasses.dataclass(frozen=True)
class KeyView:
    """An API key without its secret."""

    id: uuid.UUID
    name: str
    prefix: str
    scopes: list[str]
    created_at: dt.datetime
    expires_at: dt.datetime
    last_used_at: dt.datetime | None


def keys_of(actor: Actor) -> list[KeyView]:
    """Return the actor's own live keys of this tenant, newest first."""
    keys = ApiKey.objects.filter(user_id=actor.person, tenant_id=actor.tenant, revoked_at=None)
    return [
        KeyView(k.id, k.name, k.prefix, k.scopes, k.created_at, k.expires_at, k.last_used_at)
        for k in keys.order_by("-created_at")[:200]
    ]


@dataclasses.dataclass(frozen=True)
class Person:
    """A person as others in the tenant see them."""

    id: uuid.UUID
    name: str
    email: str
    time_zone: str = "UTC"


def person(user_id: uuid.UUID) -> Person | None:
    user = User.objects.filter(id=user_id).first()
    return Person(user.id, user.name, user.email, user.time_zone) if user else None


def user_with_email(email: str) -> User | None:
    """Return the account with this address, whatever its case; for this app's own services.

    In the words of the index: Django's `iexact` compares in capitals, and would read every account.
    """
    return User.objects.alias(lower=Lower("email")).filter(lower=Lower(Value(email))).first()


def person_by_email(email: str) -> Person | None:
    """Return the person with this address, whatever its case."""
    user = user_with_email(email)
    return Person(user.id, user.name, user.email, user.time_zone) if user else None


def owners_of(tenant_id: uuid.UUID) -> list[Person]:
    """Return the owners of a tenant: the people whom a refusal names."""
    users = User.objects.filter(
        id__in=RoleBinding.objects.filter(tenant_id=tenant_id, role=Role.OWNER).values("user_id"),
        is_active=True,
    )
    return [Person(u.id, u.name, u.email) for u in users.order_by("name")[:10]]


def last_tenant_slug(user_id: uuid.UUID) -> str | None:
    """Return the slug of the tenant this person worked in last, if they still belong to it."""
    last = User.objects.filter(id=user_id).values_list("last_tenant_id", flat=True).first()
    if last is None or not Membership.objects.filter(user_id=user_id, tenant_id=last).exists():
        return None
    return Tenant.objects.filter(id=last).values_list("slug", flat=True).first()


def tenant_slugs(ids: set[uuid.UUID]) -> dict[uuid.UUID, str]:
    """Return the short names of these tenants, of those that exist; for lists of system administrators."""
    return dict(Tenant.objects.filter(id__in=ids).values_list("id", "slug"))


def tenant_slug(tenant_id: uuid.UUID) -> str:
    return Tenant.objects.values_list("slug", flat=True).get(id=tenant_id)


def time_zones() -> list[str]:
    """Return the names of the time zones that a person may choose, by name."""
    return sorted(z for z in zoneinfo.available_timezones() if "/" in z or z == "UTC")
