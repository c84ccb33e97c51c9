"""The first page of a tenant: what needs attention, what runs, what came out; and the first steps until an image exists."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_GET

from imagefactory.domain.builds.policies import may_start, may_start_anywhere
from imagefactory.domain.builds.selectors import BuildFilter, BuildView, list_builds, newest_per_project, queue_place
from imagefactory.domain.identity.permissions import Permission
from imagefactory.domain.identity.selectors import administrators, keys_of, owners_of, tenant_profile
from imagefactory.domain.identity.services import remember_tenant
from imagefactory.domain.identity.states import TenantState
from imagefactory.domain.images.selectors import list_images
from imagefactory.domain.projects.selectors import ProjectView, list_projects
from imagefactory.entry.http.actors import actor_of
from imagefactory.entry.web import build_rows, show
from imagefactory.entry.web.live import listen_to
from imagefactory.kernel import env
from imagefactory.kernel.actor import Actor

WAITING = 5  # queued builds whose place is told; each costs a few counts


@dataclasses.dataclass(frozen=True)
class FirstStep:
    """One line of the checklist; `url` is empty where the person may not do it."""

    name: str
    text: str
    done: bool
    url: str
    action: str
    next: bool = False


@require_GET
def overview(request: HttpRequest, tenant: str) -> HttpResponse:
    actor = actor_of(request, tenant)
    remember_tenant(actor)
    context = {"live_on": listen_to(f"tenant:{actor.tenant}")}
    if actor.tenant_state == TenantState.AWAITING_APPROVAL:
        return _waiting(request, actor, context)
    projects, _ = list_projects(actor, limit=50)
    newest = newest_per_project(actor, [p.id for p in projects], 1)
    recent, _ = list_builds(actor, BuildFilter(), limit=10)
    running, _ = list_builds(actor, BuildFilter(status="running"), limit=10)
    queued, _ = list_builds(actor, BuildFilter(status="queued"), limit=WAITING)
    images, _ = list_images(actor, limit=5)
    failing = [b for builds in newest.values() for b in builds if b.status == "failed"]
    waits = {b.id: place.reason for b in queued if (place := queue_place(actor, b)) is not None}
    page = context | {
        "failing": build_rows.rows(actor, failing[:5]),
        "active": [(row, waits.get(row.id, "")) for row in build_rows.rows(actor, running + queued[::-1])],
        "recent": build_rows.rows(actor, recent), "images": images,
        "steps": [] if images else _steps(actor, projects, recent),
        "owners": [] if projects else owners_of(actor.tenant), "projects": projects,
        "may_create": actor.may(Permission.PROJECT_CREATE),
        "may_start": may_start_anywhere(actor), "tenant": tenant,
    }  # fmt: skip
    return show.page(request, "overview.html", page, blocks={"overview": "blocks/overview.html"})


def _waiting(request: HttpRequest, actor: Actor, context: Mapping[str, object]) -> HttpResponse:
    """Say what the team waits for and who can end that; without scripts the page looks again by itself."""
    page = {
        **context, "administrators": administrators(), "support": env.get().support_address, "tenant": actor.tenant_slug,
        "profile": tenant_profile(actor.tenant),
    }  # fmt: skip
    return show.page(request, "overview_waiting.html", page, blocks={"waiting": "blocks/waiting.html"})


def _steps(actor: Actor, projects: list[ProjectView], recent: list[BuildView]) -> list[FirstStep]:
    base = f"/t/{actor.tenant_slug}"
    first = projects[0] if projects else None
    sourced = next((p for p in projects if p.source_kind), None)
    may_edit = bool(first and actor.may(Permission.SETTINGS_EDIT, first.id))
    start = next((p for p in [sourced, *projects] if p and may_start(actor, p.id) is True), None)
    found = [
        FirstStep("Create a project", "It keeps the source, the builds and the images of one thing you ship.",
                  bool(projects), f"{base}/projects/new" if actor.may(Permission.PROJECT_CREATE) else "", "New project"),
        FirstStep("Say where its source is", "A Git repository, an uploaded archive, or a Dockerfile written here.",
                  bool(sourced or recent), f"{base}/p/{first.slug}/settings/source" if first and may_edit else "",
                  "Set the source"),
        FirstStep("Start a build", "Watch its steps and its log live; a dry run first tells what would stop it.",
                  bool(recent), f"{base}/p/{start.slug}/builds/new" if start else "", "New build"),
        FirstStep("Make an API key", "docker, podman and skopeo log in to the registry with it; so does the command line.",
                  bool(keys_of(actor)), f"/me/keys?tenant={actor.tenant_slug}", "New key"),
    ]  # fmt: skip
    now = next((i for i, s in enumerate(found) if not s.done and s.url), -1)
    return [dataclasses.replace(s, next=i == now) for i, s in enumerate(found)]
