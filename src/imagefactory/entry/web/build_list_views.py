"""Lists of builds: of the tenant and of a project; and the way to start one from anywhere."""

from __future__ import annotations

import uuid

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_GET

from imagefactory.domain.builds import policies
from imagefactory.domain.builds.selectors import COUNT_CAP, count_builds, list_builds
from imagefactory.domain.identity.permissions import Capability, Permission
from imagefactory.domain.identity.policies import may, require_capability
from imagefactory.domain.projects.selectors import ProjectView, get_project, list_projects
from imagefactory.entry.http.actors import actor_of
from imagefactory.entry.web import build_filter, build_rows, show
from imagefactory.entry.web.live import listen_to
from imagefactory.kernel.actor import Actor
from imagefactory.kernel.authorize import authorize

PAGE = 50
# The built-in views of every list: a name and the query it stands for.
VIEWS = (("All", ""), ("Mine", "author:me"), ("Failing", "status:failed"), ("Running", "status:running"))


@require_GET
def tenant_builds(request: HttpRequest, tenant: str) -> HttpResponse:
    actor = actor_of(request, tenant)
    return _builds(request, actor, None)


@require_GET
def project_builds(request: HttpRequest, tenant: str, project: str) -> HttpResponse:
    actor = actor_of(request, tenant)
    return _builds(request, actor, get_project(actor, project))


def _cursor(request: HttpRequest) -> tuple[uuid.UUID | None, int]:
    """Return where the page begins: the last row before it, and how many rows stand before it."""
    try:
        before, at = uuid.UUID(request.GET.get("before", "")), int(request.GET.get("at", ""))
    except ValueError:
        return None, 0
    return before, max(0, min(at, 10_000_000))


def _builds(request: HttpRequest, actor: Actor, project: ProjectView | None) -> HttpResponse:
    topic = f"project:{project.id}" if project else f"tenant:{actor.tenant}"
    context = {"live_on": listen_to(topic)}
    query = build_filter.read(actor, request.GET.get("q", ""), project.id if project else None)
    before, at = _cursor(request)
    found, after = list_builds(actor, query.wanted, before=before, limit=PAGE)
    total = count_builds(actor, query.wanted)
    base = f"/t/{actor.tenant_slug}/p/{project.slug}/builds" if project else f"/t/{actor.tenant_slug}/builds"
    may_start = policies.may_start(actor, project.id) is True if project else policies.may_start_anywhere(actor)
    page = context | {
        "project": project, "rows": build_rows.rows(actor, found), "query": query, "base": base,
        "views": [(name, text, text == query.text) for name, text in VIEWS],
        "first": at + 1 if found else 0, "last": at + len(found), "before": before,
        "total": f"{COUNT_CAP:,}+" if total > COUNT_CAP else f"{total:,}",
        "older": query.address(before=str(after), at=str(at + len(found))) if after else "",
        "newest": query.address(), "here": request.get_full_path(), "may_start": may_start, "tab": "builds",
        "start_url": f"{base}/new",
    }  # fmt: skip
    return show.page(request, "builds.html", page, blocks={"rows": "blocks/build_rows.html"})


@require_GET
def choose_project(request: HttpRequest, tenant: str) -> HttpResponse:
    """Start a build: the only project's form at once, otherwise the choice of a project."""
    actor = actor_of(request, tenant)
    require_capability(actor, Capability.BUILD)
    if not actor.may_anywhere(Permission.BUILD_START):
        authorize(may(actor, Permission.BUILD_START))
    projects = [p for p in list_projects(actor, limit=200)[0] if actor.may(Permission.BUILD_START, p.id)]
    if len(projects) == 1:
        return redirect(f"/t/{tenant}/p/{projects[0].slug}/builds/new")
    page = {"projects": projects, "may_create": actor.may(Permission.PROJECT_CREATE), "tenant": tenant}
    return show.page(request, "build_choose.html", page)
