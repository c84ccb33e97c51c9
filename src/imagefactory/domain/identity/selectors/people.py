"""People as others in their tenants see them."""

from __future__ import annotations

import dataclasses
import uuid
import zoneinfo
from collections.abc import Collection

from django.db.models import Value
from django.db.models.functions import Lower

from imagefactory.domain.identity.models import RoleBinding, User
from imagefactory.domain.identity.permissions import Role


@dataclasses.dataclass(frozen=True)
class Person:
    """A person as others in the tenant see them."""

    id: uuid.UUID
    name: str
    email: str
    time_zone: str = "UTC"


def email_is_confirmed(user_id: uuid.UUID) -> bool:
    return User.objects.filter(id=user_id, email_confirmed=True).exists()


def display_name(user: User) -> str:
    """Return what a security key calls this account."""
    return user.name or user.email


def person(user_id: uuid.UUID) -> Person | None:
    user = User.objects.filter(id=user_id).first()
    return Person(user.id, user.name, user.email, user.time_zone) if user else None


def user_with_email(email: str) -> User | None:
    """Return the account with this address, whatever its case; for this app's own services.

    In the words of the index: Django's `iexact` compares in capitals, and would read every account.
    """
    return User.objects.alias(lower=Lower("email")).filter(lower=Lower(Value(email))).first()


def names_of(user_ids: Collection[uuid.UUID]) -> dict[uuid.UUID, str]:
    """Return the names of accounts that a list already tells of by id; one that is gone is not among them."""
    return dict(User.objects.filter(id__in=user_ids).values_list("id", "name")) if user_ids else {}


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


def time_zones() -> list[str]:
    """Return the names of the time zones that a person may choose, by name."""
    return sorted(z for z in zoneinfo.available_timezones() if "/" in z or z == "UTC")
