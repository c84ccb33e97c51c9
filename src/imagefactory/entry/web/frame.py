"""What stands around every page: the person's tenants, the navigation they may use, the crumbs' beginning."""

from __future__ import annotations

import dataclasses
import functools
import uuid
from collections.abc import Sequence

from django.http import HttpRequest

from imagefactory.domain.builds.selectors import running_count
from imagefactory.domain.identity import selectors as identity
from imagefactory.domain.identity.permissions import Permission
from imagefactory.domain.identity.selectors import TenantView
from imagefactory.domain.notifications.selectors import COUNT_CAP, unread_count
from imagefactory.entry.web import navigation
from imagefactory.kernel import live
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
    actor: Actor

    @property
    def live_url(self) -> str:
        """The stream of a page that listens to nothing but its person's own news."""
        return f"/live?topics={self.user_topic}"

    @property
    def live_after(self) -> str:
        """Where that stream begins. The template asks for it before it shows the badge, so that nothing is missed."""
        return str(live.newest())

    @property
    def user_topic(self) -> str:
        return f"user:{self.actor.person}"

    @functools.cached_property
    def unread(self) -> int:
        return unread_count(self.actor, [t.id for t in self.tenants])

    @property
    def unread_words(self) -> str:
        return f"{COUNT_CAP}+" if self.unread > COUNT_CAP else str(self.unread)


def _nav(actor: Actor, path: str, running: int) -> list[NavItem]:
    base = f"/t/{actor.tenant_slug}/"
    below = path.removeprefix(base) if path.startswith(base) else "-"
    # A project's pages belong to Projects, but its builds to Builds.
    here = "builds" if "/builds" in f"/{below}" else "projects" if below.startswith("p/") else below.split("/")[0]
    return [
        NavItem(e.label, e.url(actor.tenant_slug), e.icon, e.go, e.path == here, running if e.path == "builds" else 0)
        for e in navigation.entries(actor)
        if e.icon
    ]


def frame_of(request: HttpRequest, actor: Actor) -> Frame:
    """Return the frame of a page that `actor` looks at."""
    tenants = identity.tenants_open_to(actor)
    nav = _nav(actor, request.path, running_count(actor))
    tenant = next(
        (t for t in tenants if t.slug == actor.tenant_slug),
        TenantView(uuid.UUID(int=0), actor.tenant_slug, actor.tenant_slug, actor.role),
    )
    words = actor.name.split()
    initials = "".join(word[0] for word in (words[:1] + words[1:][-1:])).upper() or "?"
    may_start = actor.may_anywhere(Permission.BUILD_START)
    start = f"/t/{actor.tenant_slug}/builds/new" if may_start else ""
    return Frame(tenant, tenants, nav, actor.name, actor.email, initials, start, actor)
