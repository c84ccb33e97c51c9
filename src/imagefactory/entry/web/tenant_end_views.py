"""The end of a team: export, delete, and thinking again."""

from __future__ import annotations

import uuid

from django.contrib import messages
from django.http import FileResponse, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.views.decorators.http import require_GET, require_http_methods

from imagefactory.adapters.blobs.base import BlobNotFound
from imagefactory.adapters.blobs.files import FileBlobs
from imagefactory.domain.builds.selectors import BuildFilter, count_builds
from imagefactory.domain.identity import policies, selectors, services
from imagefactory.domain.identity.errors import ExportNotFound
from imagefactory.domain.images.selectors import count_all_images
from imagefactory.domain.projects.selectors import count_projects
from imagefactory.entry.http.actors import actor_of
from imagefactory.entry.web import show
from imagefactory.entry.web.forms import Form, typed
from imagefactory.entry.web.live import listen_to
from imagefactory.entry.web.navigation import settings_page
from imagefactory.entry.web.tenant_settings_views import Consequences, is_deleting
from imagefactory.kernel import env
from imagefactory.kernel.actor import Actor
from imagefactory.kernel.errors import Conflict, RateLimited, ValidationFailed


def consequences(actor: Actor, tenant_id: uuid.UUID) -> Consequences:
    """Return what goes with the actor's team."""
    projects = count_projects(actor) + count_projects(actor, archived=True)
    members = selectors.count_members(tenant_id)
    return Consequences(projects, count_builds(actor, BuildFilter()), count_all_images(actor), members)


@require_http_methods(["GET", "POST"])
def danger(request: HttpRequest, tenant: str) -> HttpResponse:
    actor = actor_of(request, tenant)
    live_on = listen_to(f"tenant:{actor.tenant}")
    form, status = Form(), 200
    if request.method == "POST":
        form = Form(typed(request.POST, "confirm", "reason", "keep_reason"))
        try:
            messages.success(request, _act(request, actor, form))
            return redirect(request.path)
        except ValidationFailed as error:
            renamed = {
                "keep_reason" if "keep" in request.POST and k == "reason" else k: v for k, v in error.fields.items()
            }
            form, status = Form(form.values, renamed), 422
        except (Conflict, RateLimited) as error:
            form, status = Form(form.values, {"confirm": [error.message]}), 409
    profile = selectors.tenant_profile(actor.tenant)
    may_end = policies.may_end_tenant(actor, actor.tenant) is True
    may_take = policies.may_take_export(actor, actor.tenant) is True
    page = settings_page(
        actor, "danger", form=form, profile=profile, may_end=may_end, deleting=is_deleting(profile.state),
        goes=consequences(actor, actor.tenant), days=env.get().deletion_grace_days, export_days=env.get().export_days,
        exports=selectors.exports_of(actor.tenant) if may_take else [], may_take=may_take,
        owners=selectors.owners_of(actor.tenant), live_on=live_on,
    )  # fmt: skip
    return show.page(
        request, "tenant_settings_danger.html", page, status=status, blocks={"exports": "blocks/exports.html"}
    )


def _act(request: HttpRequest, actor: Actor, form: Form) -> str:
    """Do what the button says and return the sentence about it."""
    if "export" in request.POST:
        services.request_export(actor, actor.tenant)
        return "The export is being made. It shows here when it can be downloaded, and its owners are told."
    if "keep" in request.POST:
        services.stop_deletion(actor, actor.tenant, reason=form.value("keep_reason"))
        return "The deletion is stopped; the team is as it was before."
    services.delete_tenant(actor, actor.tenant, confirm=form.value("confirm"), reason=form.value("reason"))
    return "The deletion has begun: nothing can be changed any more, and an export is being made."


@require_GET
def export(request: HttpRequest, tenant: str, export_id: uuid.UUID) -> HttpResponseBase:
    """Hand an export to an owner."""
    actor = actor_of(request, tenant)
    digest = services.open_export(actor, actor.tenant, export_id)
    try:
        file = FileBlobs(env.get().data_dir / "blobs").open(digest)
    except BlobNotFound:
        raise ExportNotFound from None
    name = f"{actor.tenant_slug}-export.zip"
    return FileResponse(file, as_attachment=True, filename=name, content_type="application/zip")
