"""What stands around every page: the person's tenants, the navigation they may use, the crumbs' beginning."""

from __future__ import annotations

import dataclasses
import functools
import uuid
from collections.abc import Sequence

from django.http import HttpRequest

from imagefactory.domain.builds.policies import may_start_anywhere
from imagefactory.domain.builds.selectors import running_count
from imagefactory.domain.identity import selectors as identity
from imagefactory.domain.identity.permissions import Role
from imagefactory.domain.identity.selectors import TenantView
from imagefactory.domain.identity.states import TenantState
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
class Banner:
    """What every page of a tenant says that is not active; `url` leads to where its state is changed."""

    text: str
    url: str = ""
    action: str = ""


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
    administration: Sequence[NavItem] = ()
    banner: Banner | None = None

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
        NavItem(
            e.label,
            e.url(actor.tenant_slug),
            e.icon,
            e.go,
            e.path.split("/")[0] == here,
            running if e.path == "builds" else 0,
        )
        for e in navigation.entries(actor)
        if e.icon
    ]


@dataclasses.dataclass(frozen=True)
class Outside:
    """The frame of a page outside tenants, for people who also administrate."""

    tenants: Sequence[TenantView]
    administration: Sequence[NavItem]
    person: str
    email: str
    initials: str


def _administration(actor: Actor, path: str) -> list[NavItem]:
    return [
        NavItem(e.label, e.url, e.icon, "", path == e.url if e.url.endswith("/") else path.startswith(e.url))
        for e in navigation.administration(actor)
    ]


def _initials(name: str) -> str:
    words = name.split()
    return "".join(word[0] for word in (words[:1] + words[1:][-1:])).upper() or "?"


def _banner(tenant: TenantView) -> Banner | None:
    """Return what the pages say of a tenant that is not active: why, until when, and who changes it."""
    why = f" Reason: {tenant.state_reason}" if tenant.state_reason else ""
    if tenant.state == TenantState.AWAITING_APPROVAL:
        return Banner("This team waits for its approval. It can be read, and nothing can be changed in it yet.")
    if tenant.state == TenantState.SUSPENDED:
        return Banner(f"This team is suspended: it can be read, and nothing can be changed.{why}")
    if tenant.state != TenantState.DELETING or tenant.delete_after is None:
        return None
    text = f"This team is removed on {tenant.delete_after:%-d %B %Y, %H:%M} UTC; until then it can be read.{why}"
    if tenant.role == Role.OWNER:
        return Banner(text, f"/t/{tenant.slug}/settings/danger", "Stop it or get the export")
    return Banner(f"{text} An owner can stop it.")


def outside_of(request: HttpRequest, actor: Actor) -> Outside | None:
    """Return the frame of a page outside tenants; None for whoever has no other pages there."""
    entries = _administration(actor, request.path)
    if not entries:
        return None
    return Outside(identity.tenants_of(actor.person), entries, actor.name, actor.email, _initials(actor.name))


def frame_of(request: HttpRequest, actor: Actor) -> Frame:
    """Return the frame of a page that `actor` looks at."""
    tenants = identity.tenants_open_to(actor)
    nav = _nav(actor, request.path, running_count(actor))
    tenant = next(
        (t for t in tenants if t.slug == actor.tenant_slug),
        TenantView(uuid.UUID(int=0), actor.tenant_slug, actor.tenant_slug, actor.role),
    )
    may_start = may_start_anywhere(actor)
    start = f"/t/{actor.tenant_slug}/builds/new" if may_start else ""
    return Frame(
        tenant, tenants, nav, actor.name, actor.email, _initials(actor.name), start, actor,
        _administration(actor, request.path), _banner(tenant),
    )  # fmt: skip
