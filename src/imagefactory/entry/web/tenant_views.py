"""Pages of a tenant: builds, projects, images, a build with its log, and the form that starts one."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from imagefactory.domain.builds import policies
from imagefactory.domain.builds.selectors import (
    BuildDetail,
    BuildFilter,
    get_build_by_number,
    get_execution,
    list_builds,
)
from imagefactory.domain.builds.services.cancel import cancel_build
from imagefactory.domain.builds.services.dry_run import dry_run
from imagefactory.domain.builds.services.submit import rerun_build, submit_build
from imagefactory.domain.identity.permissions import Permission
from imagefactory.domain.identity.policies import may
from imagefactory.domain.images.selectors import list_images
from imagefactory.domain.projects.selectors import get_project, list_projects, projects_by_id
from imagefactory.domain.projects.services import create_project
from imagefactory.entry.http.actors import actor_of
from imagefactory.entry.web import log_pages, pages
from imagefactory.entry.web.log_views import attempt_of
from imagefactory.kernel.actor import Actor
from imagefactory.kernel.authorize import authorize
from imagefactory.kernel.errors import NotFound, ValidationFailed


def _show(request: HttpRequest, actor: Actor, name: str, page: dict[str, Any], status: int = 200) -> HttpResponse:
    return render(request, name, {"tenant": actor.tenant_slug, "person": actor.name, **page}, status=status)


@require_GET
def builds(request: HttpRequest, tenant: str) -> HttpResponse:
    """The newest builds of the tenant, and its projects."""
    actor = actor_of(request, tenant)
    found, _ = list_builds(actor, BuildFilter())
    names = projects_by_id(actor, {b.project_id for b in found})
    rows = [pages.build_row(tenant, names[b.project_id].slug, b) for b in found if b.project_id in names]
    projects, _ = list_projects(actor)
    page = {"rows": rows, "projects": projects, "can_create": actor.may("project:create")}
    return _show(request, actor, "tenant.html", page)


@require_http_methods(["GET", "POST"])
def new_project(request: HttpRequest, tenant: str) -> HttpResponse:
    actor, problems = actor_of(request, tenant), list[str]()
    authorize(may(actor, Permission.PROJECT_CREATE))
    if request.method == "POST":
        try:
            made = create_project(actor, name=request.POST.get("name", ""))
            return redirect(f"/t/{tenant}/p/{made.slug}/builds/new")
        except ValidationFailed as error:
            problems = [s for sentences in error.fields.values() for s in sentences]
    page = {"problems": problems, "name": request.POST.get("name", "")}
    return _show(request, actor, "project_new.html", page, 422 if problems else 200)


@require_http_methods(["GET", "POST"])
def new_build(request: HttpRequest, tenant: str, project: str) -> HttpResponse:
    actor = actor_of(request, tenant)
    found, problems, checks = get_project(actor, project), list[str](), []
    authorize(policies.may_start(actor, found.id))
    text, tags = request.POST.get("dockerfile", ""), request.POST.get("tags", "latest")
    if request.method == "POST":
        asked: dict[str, Any] = {"method": "docker", "tags": tags.replace(",", " ").split()}
        if text.strip():
            asked |= {"source": {"kind": "inline"}, "dockerfile": {"inline": text.replace("\r\n", "\n")}}
        if "check" in request.POST:
            checks = [{"mark": _CHECK[c.level], "text": c} for c in dry_run(actor, found.id, asked).checks]
        else:
            try:
                made = submit_build(actor, found.id, asked, trigger="web")
                return redirect(f"/t/{tenant}/p/{project}/builds/{made.number}")
            except ValidationFailed as error:
                problems = [s for sentences in error.fields.values() for s in sentences]
    page = {"project": found, "problems": problems, "checks": checks, "dockerfile": text, "tags": tags}
    return _show(request, actor, "build_new.html", page, 422 if problems else 200)


_CHECK = {
    "pass": pages.Mark("ok", "good", "Passed"),
    "warn": pages.Mark("warn", "warn", "Warning"),
    "fail": pages.Mark("fail", "bad", "Failed"),
}


def _find(request: HttpRequest, tenant: str, project: str, number: int) -> tuple[Actor, BuildDetail]:
    actor = actor_of(request, tenant)
    return actor, get_build_by_number(actor, get_project(actor, project).id, number)


@require_GET
def build(request: HttpRequest, tenant: str, project: str, number: int) -> HttpResponse:
    """One build: what happened, its stages, its result and the newest part of its log."""
    actor, b = _find(request, tenant, project, number)
    stages, isolation, wanted = list[pages.StageCell](), "", attempt_of(request)
    try:
        run = get_execution(actor, b.id, wanted)
    except NotFound:
        if wanted:
            raise
        run = None
    if run is not None:
        stages = [pages.StageCell(s.name, pages.mark(s.status), pages.duration(s.started_at, s.finished_at))
                  for s in run.stages]  # fmt: skip
        isolation = str(run.isolation.get("level", ""))
    live = b.status in {"queued", "running"}
    row = pages.build_row(tenant, project, b)
    page = {
        "b": b, "row": row, "stages": stages, "log": log_pages.pane(actor, b, run, row.url, request), "project": project,
        "live": live, "isolation": isolation,
        "failure": str(b.failure.get("message", "")) if b.failure else "", "image": b.image or None,
        "can_cancel": live and policies.may_cancel(actor, b.project_id) is True,
        "can_rerun": not live and policies.may_start(actor, b.project_id) is True,
    }  # fmt: skip
    return _show(request, actor, "build.html", page)


@require_POST
def cancel(request: HttpRequest, tenant: str, project: str, number: int) -> HttpResponse:
    actor, b = _find(request, tenant, project, number)
    cancel_build(actor, b.id)
    return redirect(f"/t/{tenant}/p/{project}/builds/{number}")


@require_POST
def rerun(request: HttpRequest, tenant: str, project: str, number: int) -> HttpResponse:
    actor, b = _find(request, tenant, project, number)
    return redirect(f"/t/{tenant}/p/{project}/builds/{rerun_build(actor, b.id).number}")


@require_GET
def images(request: HttpRequest, tenant: str) -> HttpResponse:
    actor = actor_of(request, tenant)
    return _show(request, actor, "images.html", {"images": list_images(actor)[0]})
