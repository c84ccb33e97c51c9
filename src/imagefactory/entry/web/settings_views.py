"""Settings of a project: general, source, credentials, and the end of it. Readable by all who see the project."""

from __future__ import annotations

import contextlib
import uuid
from typing import Any, BinaryIO, cast

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_http_methods

from imagefactory.domain.builds.policies import may_start
from imagefactory.domain.builds.selectors import BuildFilter, count_builds
from imagefactory.domain.identity.permissions import Permission
from imagefactory.domain.identity.policies import may
from imagefactory.domain.images.selectors import count_images
from imagefactory.domain.projects import services
from imagefactory.domain.projects.errors import CredentialNotFound
from imagefactory.domain.projects.selectors import ProjectView, get_project, list_credentials, list_uploads
from imagefactory.entry.http.actors import actor_of
from imagefactory.entry.web import show
from imagefactory.entry.web.build_form import upload_choices
from imagefactory.entry.web.forms import Form, typed, version_of
from imagefactory.kernel.actor import Actor
from imagefactory.kernel.authorize import authorize
from imagefactory.kernel.errors import Conflict, TooLarge, ValidationFailed

_SHORT_KINDS = {"git_password": "Git over https", "git_ssh_key": "Git over ssh", "build_secret": "Build secret"}
KINDS = (
    ("git_password", "Git over https: user name and password or token"),
    ("git_ssh_key", "Git over ssh: private key"),
    ("build_secret", "Build secret: given to RUN --mount=type=secret"),
)
_SOURCE_FIELDS = ("kind", "url", "ref", "dockerfile", "context", "upload_id", "dockerfile_text", "credential_id")


def _find(request: HttpRequest, tenant: str, project: str) -> tuple[Actor, ProjectView]:
    actor = actor_of(request, tenant)
    return actor, get_project(actor, project)


def _page(actor: Actor, project: ProjectView, section: str, **more: Any) -> dict[str, Any]:
    return {
        "project": project, "tab": "settings", "section": section, "base": f"/t/{actor.tenant_slug}/p/{project.slug}/",
        "may_edit": actor.may(Permission.SETTINGS_EDIT, project.id),
        "may_delete": actor.may(Permission.PROJECT_DELETE, project.id), "version": project.version, **more,
    }  # fmt: skip


@require_http_methods(["GET", "POST"])
def general(request: HttpRequest, tenant: str, project: str) -> HttpResponse:
    actor, found = _find(request, tenant, project)
    form = Form({"name": found.name, "description": found.description})
    if request.method == "POST":
        form = Form(typed(request.POST, "name", "description"))
        try:
            services.update_project(actor, found.id, if_version=version_of(request.POST), **form.values)
            messages.success(request, "The project's settings are saved.")
            return redirect(request.path)
        except ValidationFailed as error:
            form = Form(form.values, error.fields)
        except Conflict as error:
            form = Form(form.values, {"name": [error.message]})
    return show.page(request, "settings_general.html", _page(actor, found, "general", form=form), status=form.status)


@require_http_methods(["GET", "POST"])
def source(request: HttpRequest, tenant: str, project: str) -> HttpResponse:
    actor, found = _find(request, tenant, project)
    form = Form({k: str(v) for k, v in found.source.items()} | {
        "kind": found.source_kind or "git", "credential_id": str(found.credential_id or "")})  # fmt: skip
    if request.method == "POST":
        form = _save_source(request, actor, found)
        if not form.errors:
            messages.success(request, "The source is saved. A build takes it from there.")
            return redirect(f"/t/{tenant}/p/{found.slug}/builds/new" if "then_build" in request.POST else request.path)
    credentials = [c for c in list_credentials(actor, found.id) if c.kind != "build_secret"]
    page = _page(
        actor, found, "source", form=form, uploads=upload_choices(list_uploads(actor, found.id)),
        credentials=[("", "None: the repository is open"), *((str(c.id), f"{c.name} ({_SHORT_KINDS[c.kind]})") for c in credentials)],
        may_start=may_start(actor, found.id) is True,
    )  # fmt: skip
    return show.page(request, "settings_source.html", page, status=form.status)


def _save_source(request: HttpRequest, actor: Actor, project: ProjectView) -> Form:
    values = typed(request.POST, *_SOURCE_FIELDS)
    credential_id: uuid.UUID | None = None
    with contextlib.suppress(ValueError):
        credential_id = uuid.UUID(values["credential_id"])
    try:
        if values["kind"] == "archive" and (file := request.FILES.get("archive")):
            made = services.upload_archive(actor, project.id, filename=str(file.name), content=cast("BinaryIO", file))
            values["upload_id"] = str(made.id)
        services.set_source(
            actor, project.id, kind=values["kind"], source=values, credential_id=credential_id,
            if_version=version_of(request.POST),
        )  # fmt: skip
    except ValidationFailed as error:
        return Form(values, error.fields)
    except TooLarge as error:
        return Form(values, {"archive": [error.message]})
    except Conflict as error:
        return Form(values, {"kind": [error.message]})
    return Form(values)


@require_http_methods(["GET", "POST"])
def credentials(request: HttpRequest, tenant: str, project: str) -> HttpResponse:
    actor, found = _find(request, tenant, project)
    form = Form({"kind": "git_password"})
    if request.method == "POST":
        form = Form(typed(request.POST, "name", "kind", "username"))
        try:
            secret = request.POST.get("secret", "").replace("\r\n", "\n")
            services.create_credential(actor, found.id, secret=secret, **form.values)
            messages.success(request, f"The credential {form.value('name')} is stored. Its value is never shown again.")
            return redirect(request.path)
        except ValidationFailed as error:
            form = Form(form.values, error.fields)
    rows = [(c, _SHORT_KINDS[c.kind]) for c in list_credentials(actor, found.id)]
    page = _page(actor, found, "credentials", form=form, kinds=KINDS, credentials=rows)
    return show.page(request, "settings_credentials.html", page, status=form.status)


@require_http_methods(["GET", "POST"])
def delete_credential(request: HttpRequest, tenant: str, project: str, credential_id: uuid.UUID) -> HttpResponse:
    """Say what the deletion would do, and do it when that page is sent."""
    actor, found = _find(request, tenant, project)
    authorize(may(actor, Permission.SETTINGS_EDIT, found.id))
    if request.method == "GET":
        credential = next((c for c in list_credentials(actor, found.id) if c.id == credential_id), None)
        if credential is None:
            raise CredentialNotFound
        page = _page(actor, found, "credentials", form=Form(), credential=credential,
                     in_use=found.credential_id == credential_id, kind=dict(KINDS)[credential.kind])  # fmt: skip
        return show.page(request, "credential_delete.html", page)
    services.delete_credential(actor, found.id, credential_id)
    messages.success(request, "The credential is destroyed. Builds that ask for it fail from now on.")
    return redirect(f"/t/{tenant}/p/{project}/settings/credentials")


@require_http_methods(["GET", "POST"])
def danger(request: HttpRequest, tenant: str, project: str) -> HttpResponse:
    actor, found = _find(request, tenant, project)
    form = Form()
    if request.method == "POST":
        try:
            if "archive" in request.POST:
                services.archive_project(actor, found.id)
                messages.success(request, f"Project {found.name} is archived: hidden from the lists, its data kept.")
            elif "restore" in request.POST:
                services.restore_project(actor, found.id)
                messages.success(request, f"Project {found.name} is back.")
            else:
                services.delete_project(actor, found.id, confirm=request.POST.get("confirm", ""))
                messages.success(request, f"Project {found.name} is deleted.")
                return redirect(f"/t/{tenant}/projects")
            return redirect(request.path)
        except ValidationFailed as error:
            form = Form(typed(request.POST, "confirm"), error.fields)
    builds, active = BuildFilter(project_id=found.id), BuildFilter(project_id=found.id, status="running")
    page = _page(
        actor, found, "danger", form=form, builds=count_builds(actor, builds), running=count_builds(actor, active),
        images=count_images(actor, found.id),
        secrets=len(list_credentials(actor, found.id)),
    )  # fmt: skip
    return show.page(request, "settings_danger.html", page, status=form.status)
