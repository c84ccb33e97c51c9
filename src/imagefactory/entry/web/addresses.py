"""How an address states what it needs: the table of addresses is also the table that the rights tests are made from."""

from __future__ import annotations

import dataclasses
import enum
import functools
from collections.abc import Callable
from typing import Final

from django.http import HttpRequest, HttpResponseBase
from django.urls import URLPattern, path

from imagefactory.domain.identity.permissions import Permission, SystemRole
from imagefactory.entry.http.actors import actor_of
from imagefactory.kernel.errors import NotFound


class Place(enum.StrEnum):
    """Where a need holds."""

    NOWHERE = "nowhere"  # open to everyone, signed in or not
    PERSON = "person"  # to everyone who is signed in, about themselves
    TENANT = "tenant"  # in the tenant of the address
    PROJECT = "project"  # in the project of the address, or of the object it names
    SOME_PROJECT = "some project"  # in at least one project of the tenant
    INSTALLATION = "installation"  # a system role


@dataclasses.dataclass(frozen=True)
class Need:
    """What someone must be or hold to open an address; no permission in a tenant means every member."""

    place: Place
    permission: Permission | None = None
    system_roles: frozenset[SystemRole] = frozenset()
    owner: bool = False  # in the tenant of the address, signed in as a person
    stopped: bool = False  # in a tenant that is not active, too


OPEN: Final = Need(Place.NOWHERE)
SIGNED_IN: Final = Need(Place.PERSON)
MEMBER: Final = Need(Place.TENANT)
OWNER: Final = Need(Place.TENANT, owner=True)
OWNER_ALWAYS: Final = Need(Place.TENANT, owner=True, stopped=True)


def in_tenant(permission: Permission) -> Need:
    """Return the need of a permission in the whole tenant."""
    return Need(Place.TENANT, permission)


def in_project(permission: Permission) -> Need:
    """Return the need of a permission in the project of the address."""
    return Need(Place.PROJECT, permission)


def in_some_project(permission: Permission) -> Need:
    """Return the need of a permission in at least one project of the tenant."""
    return Need(Place.SOME_PROJECT, permission)


def of_installation(*roles: SystemRole) -> Need:
    """Return the need of one of these system roles."""
    return Need(Place.INSTALLATION, system_roles=frozenset(roles))


SEE_ALL: Final = of_installation(SystemRole.ADMINISTRATOR, SystemRole.READ_ONLY_ADMINISTRATOR)
CHANGE_ALL: Final = of_installation(SystemRole.ADMINISTRATOR)


@dataclasses.dataclass(frozen=True)
class Page:
    """One address: `needs` holds for reading it, `changes` for sending its form where that asks for more."""

    route: str
    view: Callable[..., HttpResponseBase]
    name: str
    needs: Need
    changes: Need | None = None

    def pattern(self) -> URLPattern:
        view = self.view if self.needs.place is not Place.INSTALLATION else _hidden(self.view)
        return path(self.route, view, name=self.name)


def _hidden(view: Callable[..., HttpResponseBase]) -> Callable[..., HttpResponseBase]:
    """Let whoever holds no system role find nothing at this address; what the others may do is the view's matter."""

    @functools.wraps(view)
    def seen(request: HttpRequest, *args: object, **kwargs: object) -> HttpResponseBase:
        if not actor_of(request).system_roles:
            # The page about it is the one of an address that leads nowhere, which knows no team either.
            del request._actor  # type: ignore[attr-defined]  # noqa: SLF001 - ours, set by `actor_of`
            raise NotFound("page")
        return view(request, *args, **kwargs)

    return seen
