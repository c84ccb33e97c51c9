"""The palette's search: pages, projects, builds and images of a tenant, or the tenants of a person, as one fragment."""

from __future__ import annotations

import dataclasses
from typing import Final

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_GET

from imagefactory.domain.builds.selectors import find_builds
from imagefactory.domain.identity import selectors as identity
from imagefactory.domain.images.selectors import list_images
from imagefactory.domain.projects.selectors import list_projects, projects_by_id
from imagefactory.entry.http.actors import actor_of
from imagefactory.entry.web import navigation
from imagefactory.kernel.actor import Actor
from imagefactory.kernel.errors import Unauthorized

MOST: Final = 8  # answers of each kind
LONGEST: Final = 100  # characters of a question


@dataclasses.dataclass(frozen=True)
class Item:
    """One answer: where it leads, its name, and a few words that tell it from others."""

    url: str
    label: str
    note: str = ""


@dataclasses.dataclass(frozen=True)
class Group:
    name: str
    items: list[Item]


@require_GET
def palette(request: HttpRequest) -> HttpResponse:
    """Answer `q` within `tenant`; without one, name the person's tenants.

    Raises Unauthorized, and TenantNotFound for a tenant that the person is not in.
    """
    text = "".join(c for c in request.GET.get("q", "")[:LONGEST] if c.isprintable()).strip()
    slug = request.GET.get("tenant", "")[:64]
    groups = _tenant(actor_of(request, slug), text) if slug else [_tenants(request, text)]
    answer = render(request, "blocks/palette.html", {"groups": [g for g in groups if g.items]})
    answer["Cache-Control"] = "no-store"
    return answer


def _fits(text: str, *names: str) -> bool:
    found = " ".join(names).casefold()
    return all(word in found for word in text.casefold().split())


def _tenants(request: HttpRequest, text: str) -> Group:
    if not request.user.is_authenticated:
        raise Unauthorized("Sign in first.")
    mine = identity.tenants_open_to(actor_of(request))
    fitting = [t for t in mine if _fits(text, t.name, t.slug)]
    items = [Item(reverse("overview", kwargs={"tenant": t.slug}), t.name, t.role.capitalize()) for t in fitting[:MOST]]
    return Group("Teams", items)


def _tenant(actor: Actor, text: str) -> list[Group]:
    slug = actor.tenant_slug
    pages = [Item(e.url(slug), e.label) for e in navigation.entries(actor) if _fits(text, e.label, e.words)]
    pages += [
        Item(s.url(slug), s.label, "Settings")
        for s in navigation.sections(actor)
        if _fits(text, s.label, "settings", s.words)
    ]
    if _fits(text, "Notifications", "messages inbox unread"):
        pages.append(Item(f"{reverse('notifications')}?tenant={slug}", "Notifications"))
    return [Group("Pages", pages[:MOST]), _projects(actor, text), _builds(actor, text), _images(actor, text)]


def _projects(actor: Actor, text: str) -> Group:
    found, _ = list_projects(actor, search=text, limit=MOST)
    tenant = {"tenant": actor.tenant_slug}
    return Group("Projects", [
        Item(reverse("project", kwargs={**tenant, "project": p.slug}), p.name, p.slug) for p in found
    ])  # fmt: skip


def _builds(actor: Actor, text: str) -> Group:
    found = find_builds(actor, text, limit=MOST)
    projects = projects_by_id(actor, {b.project_id for b in found})
    items = []
    for b in found:
        if (project := projects.get(b.project_id)) is not None:
            where = {"tenant": actor.tenant_slug, "project": project.slug, "number": b.number}
            label = f"#{b.number} {b.commit_message or b.name}".strip()
            items.append(Item(reverse("build", kwargs=where), label, f"{project.name} · {b.status}"))
    return Group("Builds", items)


def _images(actor: Actor, text: str) -> Group:
    found, _ = list_images(actor, search=text, limit=MOST)
    tenant = {"tenant": actor.tenant_slug}
    return Group("Images", [
        Item(reverse("image", kwargs={**tenant, "name": i.name}), i.name,
             ", ".join(i.latest.tags[:3]) if i.latest else "")
        for i in found
    ])  # fmt: skip
