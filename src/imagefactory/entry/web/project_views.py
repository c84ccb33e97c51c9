"""Projects: the list, a new one, and the page of one."""

from __future__ import annotations

import dataclasses

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_GET, require_http_methods

from imagefactory.domain.builds.policies import may_start
from imagefactory.domain.builds.selectors import BuildFilter, list_builds, live_slots, newest_per_project
from imagefactory.domain.identity.permissions import Permission
from imagefactory.domain.identity.policies import may
from imagefactory.domain.images.selectors import list_images
from imagefactory.domain.projects.selectors import ProjectView, get_project, list_projects
from imagefactory.domain.projects.services import create_project
from imagefactory.entry.http.actors import actor_of
from imagefactory.entry.web import build_rows, show
from imagefactory.entry.web.forms import Form, typed
from imagefactory.entry.web.live import listen_to
from imagefactory.kernel import env
from imagefactory.kernel.authorize import authorize
from imagefactory.kernel.errors import ValidationFailed

PAGE = 50
_SOURCES = {"git": "Git", "archive": "Archive", "inline": "Dockerfile", "": "Not set"}


@dataclasses.dataclass(frozen=True)
class ProjectRow:
    """One line of the list of projects."""

    project: ProjectView
    url: str
    source: str
    bars: list[build_rows.Bar]
    success: str
    last: build_rows.BuildRow | None


@require_GET
def projects(request: HttpRequest, tenant: str) -> HttpResponse:
    actor = actor_of(request, tenant)
    search, archived = request.GET.get("q", "")[:100].replace("\0", ""), request.GET.get("archived") == "1"
    found, after = list_projects(
        actor, search=search, archived=archived, after=request.GET.get("after", "")[:200], limit=PAGE
    )
    newest = newest_per_project(actor, [p.id for p in found], 15)
    lasts = {r.project_url: r for r in build_rows.rows(actor, [b[0] for b in newest.values()])}
    rows = []
    for p in found:
        url = f"/t/{tenant}/p/{p.slug}/"
        builds = newest.get(p.id, [])
        rows.append(ProjectRow(p, url, _SOURCES[p.source_kind], build_rows.strip(url, builds),
                               build_rows.success(builds), lasts.get(url)))  # fmt: skip
    page = {
        "rows": rows, "search": search, "archived": archived, "after": after, "tenant": tenant,
        "may_create": actor.may(Permission.PROJECT_CREATE), "filtered": bool(search),
    }  # fmt: skip
    return show.page(request, "projects.html", page)


@require_http_methods(["GET", "POST"])
def new_project(request: HttpRequest, tenant: str) -> HttpResponse:
    actor = actor_of(request, tenant)
    authorize(may(actor, Permission.PROJECT_CREATE))
    form = Form(typed(request.POST, "name", "slug", "description"))
    if request.method == "POST":
        try:
            made = create_project(actor, **form.values)
            return redirect(f"/t/{tenant}/p/{made.slug}/settings/source")
        except ValidationFailed as error:
            form = Form(form.values, error.fields)
    page = {"form": form, "tenant": tenant, "host": env.get().host}
    return show.page(request, "project_new.html", page, status=form.status)


@require_GET
def project(request: HttpRequest, tenant: str, project: str) -> HttpResponse:
    actor = actor_of(request, tenant)
    found = get_project(actor, project)
    context = {"live_on": listen_to(f"project:{found.id}")}
    strip = newest_per_project(actor, [found.id], 30).get(found.id, [])
    recent, _ = list_builds(actor, BuildFilter(project_id=found.id), limit=8)
    images, _ = list_images(actor, project_id=found.id, limit=3)
    base = f"/t/{tenant}/p/{found.slug}/"
    may_edit = actor.may(Permission.SETTINGS_EDIT, found.id)
    page = context | {
        "project": found, "tab": "overview", "base": base, "bars": build_rows.strip(base, strip),
        "success": build_rows.success(strip), "recent": build_rows.rows(actor, recent), "images": images,
        "source": _SOURCES[found.source_kind], "may_edit": may_edit, "workers": live_slots(),
        "may_start": may_start(actor, found.id) is True and not found.archived,
    }  # fmt: skip
    return show.page(request, "project.html", page, blocks={"project": "blocks/project.html"})
