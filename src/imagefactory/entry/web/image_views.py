"""Images: the list, one image with its versions, one version with its layers."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_GET

from imagefactory.domain.builds.policies import may_start_anywhere
from imagefactory.domain.images.errors import ImageNotFound
from imagefactory.domain.images.selectors import VersionView, get_image, get_version, list_images, list_versions
from imagefactory.domain.projects.selectors import projects_by_id
from imagefactory.entry.http.actors import actor_of
from imagefactory.entry.web import pulls, show
from imagefactory.entry.web.build_rows import build_url
from imagefactory.entry.web.live import listen_to
from imagefactory.kernel import env

PAGE = 50


@require_GET
def images(request: HttpRequest, tenant: str) -> HttpResponse:
    actor = actor_of(request, tenant)
    context = {"live_on": listen_to(f"tenant:{actor.tenant}")}
    search = request.GET.get("q", "")[:100].replace("\0", "")
    found, after = list_images(actor, search=search, after=request.GET.get("after", "")[:200], limit=PAGE)
    names = projects_by_id(actor, {i.project_id for i in found})
    page = context | {
        "images": [(i, names[i.project_id]) for i in found if i.project_id in names], "search": search,
        "after": after, "tenant": tenant, "may_start": may_start_anywhere(actor),
    }  # fmt: skip
    return show.page(request, "images.html", page, blocks={"rows": "blocks/image_rows.html"})


def _origin(tenant: str, project: str, version: VersionView) -> tuple[str, str]:
    """Return the words and the address of what made a version; the address is empty for a push by hand."""
    number = version.origin.get("number", "")
    if version.origin.get("kind") == "build" and number.isdecimal():
        return f"Build #{number}", build_url(tenant, project, int(number))
    return "Pushed by hand", ""


def _best_tag(version: VersionView | None) -> str:
    """Return the tag to show in a command: `latest` where it is one, otherwise the first; empty without tags."""
    tags = list(version.tags) if version else []
    return "latest" if "latest" in tags else next(iter(tags), "")


@require_GET
def image(request: HttpRequest, tenant: str, name: str) -> HttpResponse:
    actor = actor_of(request, tenant)
    found = get_image(actor, name)
    project = projects_by_id(actor, {found.project_id}).get(found.project_id)
    if project is None:
        raise ImageNotFound
    versions = list_versions(actor, found)
    rows = [(v, *_origin(tenant, project.slug, v)) for v in versions]
    tags = sorted({t for v in versions for t in v.tags})
    page: dict[str, Any] = {
        "image": found, "project": project, "tenant": tenant, "rows": rows, "tags": tags, "host": env.get().host,
        "tools": pulls.commands(found.reference, _best_tag(found.latest), found.latest.digest if found.latest else ""),
    }  # fmt: skip
    return show.page(request, "image.html", page)


@require_GET
def version(request: HttpRequest, tenant: str, name: str, digest: str) -> HttpResponse:
    actor = actor_of(request, tenant)
    found = get_image(actor, name)
    project = projects_by_id(actor, {found.project_id}).get(found.project_id)
    this = get_version(actor, found, digest)
    if project is None:
        raise ImageNotFound
    words, url = _origin(tenant, project.slug, this)
    page = {
        "image": found, "project": project, "tenant": tenant, "v": this, "origin": words, "origin_url": url,
        "host": env.get().host, "tools": pulls.commands(found.reference, _best_tag(this), digest),
    }  # fmt: skip
    return show.page(request, "image_version.html", page)
