"""All tenants and people of the installation, for administrators. Every function asks who asks."""

from __future__ import annotations

import dataclasses
import datetime as dt
import uuid
from collections.abc import Mapping, Sequence

from django.db.models import Count, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce

from imagefactory.domain.identity import policies
from imagefactory.domain.identity.errors import PersonNotFound
from imagefactory.domain.identity.models import Membership, Tenant, User
from imagefactory.domain.identity.permissions import Capability, SystemRole
from imagefactory.domain.identity.selectors.people import Person
from imagefactory.domain.identity.selectors.rights import SYSTEM_ROLE_FIELDS, capabilities_of, system_roles_of
from imagefactory.domain.identity.selectors.second_factors import has_second_factor
from imagefactory.domain.identity.selectors.sessions import SessionView, open_sessions
from imagefactory.domain.identity.selectors.tenants import TenantView, tenants_of
from imagefactory.domain.identity.states import TenantState
from imagefactory.kernel.actor import Actor
from imagefactory.kernel.authorize import authorize

PAGE = 50


@dataclasses.dataclass(frozen=True)
class TenantRow:
    """A tenant in the list of administrators."""

    id: uuid.UUID
    slug: str
    name: str
    state: str
    capabilities: Sequence[str]
    members: int
    created_at: dt.datetime


@dataclasses.dataclass(frozen=True)
class PersonRow:
    """A person in the list of administrators."""

    id: uuid.UUID
    name: str
    email: str
    active: bool
    system_roles: Sequence[str]
    tenants: int
    last_sign_in: dt.datetime | None
    created_at: dt.datetime


@dataclasses.dataclass(frozen=True)
class PersonDetail:
    """A person as administrators see them."""

    row: PersonRow
    time_zone: str
    tenants: Sequence[TenantView]
    sessions: Sequence[SessionView]
    must_change_password: bool
    has_second_factor: bool


@dataclasses.dataclass(frozen=True)
class Figures:
    """What waits for an administrator."""

    tenants: Mapping[str, int]
    people: int


def all_tenants(
    actor: Actor, *, search: str = "", state: str = "", without: str = "", after: str = "", limit: int = PAGE
) -> tuple[list[TenantRow], str, int]:
    """Return tenants by slug with the cursor of the next page (or empty) and how many match; `without` is a capability.

    Raises NotFound, PermissionDenied.
    """
    authorize(policies.may_see_installation(actor))
    rows = Tenant.objects.all()
    if search:
        rows = rows.filter(Q(slug__icontains=search[:100]) | Q(name__icontains=search[:100]))
    if state in set(TenantState):
        rows = rows.filter(state=state)
    if without in set(Capability):
        rows = rows.exclude(**{f"may_{without}": True})
    total = rows.count()
    members = Membership.objects.filter(tenant_id=OuterRef("id")).order_by().values("tenant_id").annotate(n=Count("id"))
    rows = rows.filter(slug__gt=after[:60]).annotate(members=Coalesce(Subquery(members.values("n")), 0))
    page = [
        TenantRow(t.id, t.slug, t.name, t.state, sorted(capabilities_of(t)), t.members, t.created_at)
        for t in rows.order_by("slug")[: limit + 1]
    ]
    return page[:limit], page[limit - 1].slug if len(page) > limit else "", total


def all_people(
    actor: Actor, *, search: str = "", state: str = "", role: str = "", after: str = "", limit: int = PAGE
) -> tuple[list[PersonRow], str, int]:
    """Return people by e-mail address with the cursor of the next page (or empty) and how many match.

    `state` is active or suspended, `role` a system role or `any`. Raises NotFound, PermissionDenied.
    """
    authorize(policies.may_see_installation(actor))
    rows = User.objects.all()
    if search:
        rows = rows.filter(Q(email__icontains=search[:100]) | Q(name__icontains=search[:100]))
    if state in {"active", "suspended"}:
        rows = rows.filter(is_active=state == "active")
    if role == "any":
        rows = rows.filter(Q(is_system_admin=True) | Q(is_read_only_admin=True) | Q(is_reviewer=True))
    elif role in set(SystemRole):
        rows = rows.filter(**{SYSTEM_ROLE_FIELDS[SystemRole(role)]: True})
    total = rows.count()
    page = _people(rows.filter(email__gt=after[:254]).order_by("email")[: limit + 1])
    return page[:limit], page[limit - 1].email if len(page) > limit else "", total


def _people(users: QuerySet[User]) -> list[PersonRow]:
    found = list(users)
    counts = dict(
        Membership.objects.filter(user_id__in=[u.id for u in found])
        .order_by().values_list("user_id").annotate(n=Count("id"))
    )  # fmt: skip
    return [
        PersonRow(
            u.id,
            u.name,
            u.email,
            u.is_active,
            sorted(system_roles_of(u)),
            counts.get(u.id, 0),
            u.last_login,
            u.created_at,
        )
        for u in found
    ]


def get_person(actor: Actor, user_id: uuid.UUID) -> PersonDetail:
    """Return a person with memberships and sign-ins.

    Raises NotFound, PermissionDenied, PersonNotFound.
    """
    authorize(policies.may_see_installation(actor))
    rows = _people(User.objects.filter(id=user_id))
    if not rows:
        raise PersonNotFound
    user = User.objects.get(id=user_id)
    return PersonDetail(
        rows[0], user.time_zone, tenants_of(user_id), open_sessions(user_id), user.must_change_password,
        has_second_factor(user_id),
    )  # fmt: skip


def members_of_tenant(actor: Actor, tenant_id: uuid.UUID, limit: int = PAGE) -> list[PersonRow]:
    """Return people in a tenant, by e-mail address.

    Raises NotFound, PermissionDenied.
    """
    authorize(policies.may_see_installation(actor))
    mine = Membership.objects.filter(tenant_id=tenant_id).values("user_id")
    return _people(User.objects.filter(id__in=mine).order_by("email")[:limit])


def administrators() -> list[Person]:
    """Return who can change the installation now: whom refusals name, and who is told of what waits."""
    users = User.objects.filter(is_system_admin=True, is_active=True).order_by("name")
    return [Person(u.id, u.name, u.email) for u in users[:20]]


def figures(actor: Actor) -> Figures:
    """Return how many tenants are in each state, and how many people there are.

    Raises NotFound, PermissionDenied.
    """
    authorize(policies.may_see_installation(actor))
    counts = dict(Tenant.objects.order_by().values_list("state").annotate(n=Count("id")))
    return Figures({str(s): counts.get(str(s), 0) for s in TenantState}, User.objects.count())
