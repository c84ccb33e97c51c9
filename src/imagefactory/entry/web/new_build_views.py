"""The page that starts a build: short form, dry run, start."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from typing import Any, BinaryIO, cast

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_http_methods

from imagefactory.domain.builds import policies
from imagefactory.domain.builds.selectors import get_build_by_number
from imagefactory.domain.builds.services.dry_run import DryRun, dry_run
from imagefactory.domain.builds.services.submit import submit_build
from imagefactory.domain.builds.states import Trigger
from imagefactory.domain.projects.selectors import ProjectView, get_project, list_credentials, list_uploads
from imagefactory.domain.projects.services import upload_archive
from imagefactory.entry.http.actors import actor_of
from imagefactory.entry.web import build_form, show
from imagefactory.entry.web.build_rows import build_url
from imagefactory.entry.web.forms import Form
from imagefactory.kernel import env
from imagefactory.kernel.actor import Actor
from imagefactory.kernel.authorize import authorize
from imagefactory.kernel.clock import now
from imagefactory.kernel.errors import Conflict, InvalidRequest, TooLarge, ValidationFailed

NETWORKS = (("", "The installation's"), ("none", "None"), ("registry", "This factory's registry"), ("open", "Open"))


@dataclasses.dataclass
class _Draft:
    """What the page knows while it answers."""

    form: Form
    checked: DryRun | None = None
    document: Mapping[str, Any] | None = None


@require_http_methods(["GET", "POST"])
def new_build(request: HttpRequest, tenant: str, project: str) -> HttpResponse:
    actor = actor_of(request, tenant)
    found = get_project(actor, project)
    authorize(policies.may_start(actor, found.id))
    earlier, number = _earlier(request, actor, found)
    if request.method == "POST":
        draft = _Draft(Form(build_form.from_post(request.POST)))
        made = _submit(request, actor, found, earlier, draft)
        if made is not None:
            return redirect(build_url(tenant, found.slug, made))
    else:
        uploads = list_uploads(actor, found.id)
        values = build_form.from_manifest(found, earlier, uploads) if earlier else build_form.first(found)
        draft = _Draft(Form(values))
    return _answer(request, actor, found, draft, number)


def _earlier(request: HttpRequest, actor: Actor, project: ProjectView) -> tuple[Mapping[str, Any], int]:
    """Return the manifest and number of the build that this one starts from, if the address names one."""
    text = request.GET.get("from", "")
    if not text:
        return {}, 0
    if not text.isdecimal() or len(text) > 9:
        raise InvalidRequest("from is the number of a build of this project.")
    return get_build_by_number(actor, project.id, int(text)).manifest, int(text)


def _submit(
    request: HttpRequest, actor: Actor, project: ProjectView, earlier: Mapping[str, Any], draft: _Draft
) -> int | None:
    """Check or start what was typed; return the number of the started build. The draft keeps what there is to say."""
    values = dict(draft.form.values)
    try:
        if values["source"] == "archive" and (file := request.FILES.get("archive")):
            # Kept before anything is judged, so that a wrong field elsewhere does not cost the upload.
            values["upload_id"] = str(
                upload_archive(actor, project.id, filename=str(file.name), content=cast("BinaryIO", file)).id
            )
            draft.form = Form(values)
        draft.document = build_form.asked(values, project, list_uploads(actor, project.id, 200), earlier)
        if "check" in request.POST:
            draft.checked = dry_run(actor, project.id, draft.document)
            return None
        return submit_build(actor, project.id, draft.document, trigger=Trigger.WEB).number
    except ValidationFailed as error:
        draft.form = Form(values, build_form.place_errors(error.fields))
    except TooLarge as error:
        draft.form = Form(values, {"archive": [error.message]})
    except Conflict as error:
        draft.form = Form(values, {"source": [error.message]})
    return None


def _answer(request: HttpRequest, actor: Actor, project: ProjectView, draft: _Draft, number: int) -> HttpResponse:
    settings = env.get()
    api, command = build_form.calls(settings.public_url, project.slug, draft.document or {})
    chosen = draft.form.value("secrets").split("\n")
    secrets = [(c.name, c.name in chosen) for c in list_credentials(actor, project.id) if c.kind == "build_secret"]
    manifest = draft.checked.manifest if draft.checked else None
    page = {
        "project": project, "form": draft.form, "checked": draft.checked, "from": number, "tab": "new",
        "manifest": json.dumps(manifest, indent=2, ensure_ascii=False) if manifest else "", "api": api,
        "command": command, "checked_at": now(), "secrets": secrets, "networks": NETWORKS,
        "uploads": build_form.upload_choices(list_uploads(actor, project.id)),
        "path": f"{settings.host}/{actor.tenant_slug}/{project.slug}", "caps": _caps(),
        "advanced": any(draft.form.value(n) for n in build_form.FIELDS[8:] if n != "tags"),
    }  # fmt: skip
    return show.page(request, "build_new.html", page, status=draft.form.status)


def _caps() -> dict[str, str]:
    """Return what this installation allows at most, as help under the fields."""
    s = env.get()
    most = {"timeout": s.build_timeout_seconds, "cpu": f"{s.build_cpus:g}", "memory": s.build_memory_mib,
            "disk": s.build_disk_mib}  # fmt: skip
    return {name: f"At most {value}." for name, value in most.items()}
