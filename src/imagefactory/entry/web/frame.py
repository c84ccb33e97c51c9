"""What stands around every page: the person's tenants, the navigation they may use, the crumbs' beginning.

The navigation and the command palette read the same list, so neither leads to a page that refuses.
"""

from __future__ import annotations

import dataclasses
import uuid
from collections.abc import Sequence

from django.http import HttpRequest

from imagefactory.domain.builds.selectors import running_count
from imagefactory.domain.identity import selectors as identity
from imagefactory.domain.identity.permissions import Permission
from imagefactory.domain.identity.selectors import TenantView
from imagefactory.kernel.actor import Actor


@dataclasses.dataclass(frozen=True)
class NavItem:
    """One entry of the sidebar; `go` is its letter after `g`."""

    name: str
    url: str
    icon: str
    go: str
    current: bool = False
    count: int = 0


@dataclasses.dataclass(frozen=True)
class Frame:
    """The frame of a page of a tenant."""

    tenant: TenantView
    tenants: Sequence[TenantView]
    nav: Sequence[NavItem]
    person: str
    email: str
    initials: str
    new_build_url: str


# name, path below the tenant, icon, letter after g, the permission that opens it somewhere
_ENTRIES = (
    ("Overview", "", "home", "o", Permission.PROJECT_VIEW),
    ("Builds", "builds", "builds", "b", Permission.BUILD_VIEW),
    ("Projects", "projects", "project", "p", Permission.PROJECT_VIEW),
    ("Images", "images", "image", "i", Permission.ARTIFACT_VIEW),
)


def navigation(actor: Actor, path: str = "") -> list[NavItem]:
    """Return the entries that this actor may open somewhere in the tenant; one is current for `path`."""
    base = f"/t/{actor.tenant_slug}/"
    below = path.removeprefix(base)
    # A project's pages belong to Projects, but its builds to Builds.
    here = "builds" if "/builds" in f"/{below}" else "projects" if below.startswith("p/") else below.split("/")[0]
    return [
        NavItem(name, base + part, icon, go, current=part == here and path.startswith(base))
        for name, part, icon, go, permission in _ENTRIES
        if actor.may_anywhere(permission) or permission is Permission.PROJECT_VIEW
    ]


def frame_of(request: HttpRequest, actor: Actor) -> Frame:
    """Return the frame of a page that `actor` looks at."""
    tenants = identity.tenants_of(actor.person)
    running = running_count(actor)
    nav = [dataclasses.replace(n, count=running) if n.icon == "builds" else n for n in navigation(actor, request.path)]
    tenant = next(
        (t for t in tenants if t.slug == actor.tenant_slug),
        TenantView(uuid.UUID(int=0), actor.tenant_slug, actor.tenant_slug, actor.role),
    )
    words = actor.name.split()
    initials = "".join(word[0] for word in (words[:1] + words[1:][-1:])).upper() or "?"
    may_start = actor.may_anywhere(Permission.BUILD_START)
    start = f"/t/{actor.tenant_slug}/builds/new" if may_start else ""
    return Frame(tenant, tenants, nav, actor.name, actor.email, initials, start)
