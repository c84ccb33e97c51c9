"""Submit, start and rerun builds: the manifest is checked and stored whole, then the build is queued."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from typing import Any

from django.db import IntegrityError, transaction

from imagefactory.domain.builds import events, policies
from imagefactory.domain.builds.models import Build, BuildText
from imagefactory.domain.builds.queue import enqueue
from imagefactory.domain.builds.selectors import BuildDetail, get_build
from imagefactory.domain.builds.states import BUILD, FINISHED, QUEUE_ORDER, BuildStatus, Queue, Trigger
from imagefactory.domain.identity.permissions import Capability
from imagefactory.domain.identity.policies import require_capability
from imagefactory.domain.projects.errors import UploadNotFound
from imagefactory.domain.projects.selectors import ProjectView, get_project, get_upload, has_upload, secret_names
from imagefactory.domain.projects.services import next_build_number, require_open
from imagefactory.domain.projects.states import SourceKind
from imagefactory.kernel import env, ids
from imagefactory.kernel.actor import Actor
from imagefactory.kernel.authorize import authorize
from imagefactory.kernel.clock import now
from imagefactory.kernel.errors import Conflict, ValidationFailed
from imagefactory.kernel.outbox.emit import emit
from imagefactory.methods.manifest import Manifest, ManifestInvalid, parse_manifest
from imagefactory.methods.registry import method_for
from imagefactory.methods.repository_file import PROJECT, SUBMISSION

MAX_QUEUED_PER_TENANT = 200_000
NETWORKS = ("none", "registry", "open")  # what a build may reach, the least first


def effective_manifest(actor: Actor, project: ProjectView, asked: Mapping[str, Any]) -> Manifest:
    """Return the manifest that a request asks for, with the project's source where it names none.

    Raises ValidationFailed with every bad field at once.
    """
    document = dict(asked)
    try:
        if not document.get("source"):
            document = _with_project_source(actor, project, document)
        manifest = parse_manifest(document)
        method_for(manifest)
    except ManifestInvalid as error:
        fields: dict[str, list[str]] = {}
        for problem in error.fields:
            fields.setdefault(problem.field, []).append(problem.message)
        raise ValidationFailed(fields) from None
    if wrong := against_project(project, manifest):
        raise ValidationFailed(wrong)
    return manifest


def _with_project_source(actor: Actor, project: ProjectView, document: dict[str, Any]) -> dict[str, Any]:
    source = project.source
    if project.source_kind == SourceKind.GIT:
        document["source"] = {"kind": "git", "ref": ""}
    elif project.source_kind == SourceKind.ARCHIVE:
        try:
            upload = get_upload(actor, project.id, uuid.UUID(source["upload_id"]))
        except UploadNotFound:
            raise ManifestInvalid.one("source", "the project's archive is gone; upload it again.") from None
        document["source"] = {"kind": "archive", "blob": upload.digest, "filename": upload.filename}
    elif project.source_kind == SourceKind.INLINE:
        document["source"] = {"kind": "inline"}
        document.setdefault("dockerfile", {"inline": source["dockerfile_text"]})
    else:
        raise ManifestInvalid.one(
            "source",
            "the project has no source yet. Set a repository in its settings, or give an inline Dockerfile.",
        )
    if source.get("dockerfile"):
        document.setdefault("dockerfile", source["dockerfile"])
    if source.get("context"):
        document.setdefault("context", source["context"])
    return document


def against_project(project: ProjectView, manifest: Manifest) -> dict[str, list[str]]:
    """Return what this project and installation do not allow of an otherwise valid manifest, by field."""
    wrong: dict[str, list[str]] = {}
    settings, limits = env.get(), manifest.limits
    if manifest.source.kind == "git" and project.source_kind != SourceKind.GIT:
        wrong["source.kind"] = ["This project has no repository. Set one in its settings first."]
    if manifest.source.kind == "archive" and not has_upload(project.id, manifest.source.blob):
        wrong["source.blob"] = ["No such archive was uploaded to this project. Upload it first."]
    if missing := sorted(set(manifest.secrets) - secret_names(project.id)):
        wrong["secrets"] = [f"This project has no build secret {', '.join(missing)}. Add it in the project's settings."]
    caps = (
        ("limits.cpu", limits.cpu, settings.build_cpus, "cores"),
        ("limits.memory_mib", limits.memory_mib, settings.build_memory_mib, "MiB of memory"),
        ("limits.disk_mib", limits.disk_mib, settings.build_disk_mib, "MiB of disk"),
        ("timeout_seconds", manifest.timeout_seconds, settings.build_timeout_seconds, "seconds"),
    )
    for field, wanted, cap, unit in caps:
        if wanted is not None and wanted > cap:
            wrong[field] = [f"This installation allows at most {cap:g} {unit}. Ask for less, or ask the operator."]
    if manifest.network and NETWORKS.index(manifest.network) > NETWORKS.index(settings.build_network):
        wrong["network"] = [f"This installation allows builds the network {settings.build_network} at most."]
    return wrong


def submit_build(
    actor: Actor,
    project_id: uuid.UUID,
    asked: Mapping[str, Any],
    *,
    start: bool = True,
    trigger: str = Trigger.API,
    idempotency_key: str | None = None,
    origins: Mapping[str, str] | None = None,
) -> BuildDetail:
    """Store a build and, unless it is a draft, queue it. The same idempotency key returns the first build again.

    `origins` says where fields of `asked` come from when not all of them were asked for now, as for a rerun.
    Raises ProjectNotFound, CapabilityOff, PermissionDenied, ProjectArchived, ValidationFailed, Conflict.
    """
    project = get_project(actor, project_id)
    require_capability(actor, Capability.BUILD)
    authorize(policies.may_start(actor, project.id))
    request = _request_digest(project.id, asked, start=start)
    if idempotency_key is not None and (known := _same_request(actor, idempotency_key, request)):
        return known
    manifest = effective_manifest(actor, project, asked)
    _check_room(project.tenant_id)
    try:
        with transaction.atomic():
            build = _store(
                actor, project, manifest, start=start, trigger=trigger, key=idempotency_key, request=request,
                origins=origins or _origins(asked, manifest),
            )  # fmt: skip
    except IntegrityError:
        if idempotency_key is not None and (known := _same_request(actor, idempotency_key, request)):
            return known
        raise
    return get_build(actor, build.id)


def _request_digest(project_id: uuid.UUID, asked: Mapping[str, Any], *, start: bool) -> str:
    """Return what two submissions have in common exactly when they ask for the same."""
    whole = {"project": str(project_id), "start": start, "asked": dict(asked)}
    return ids.digest(json.dumps(whole, sort_keys=True, separators=(",", ":"), default=str))


def _same_request(actor: Actor, key: str, request: str) -> BuildDetail | None:
    """Return the build that this key submitted, None when there is none.

    Raises Conflict when it was a different request.
    """
    row = Build.objects.filter(tenant_id=actor.tenant, created_by_id=actor.subject_id, idempotency_key=key).first()
    if row is None:
        return None
    if row.request_digest != request:
        raise Conflict(
            f"This Idempotency-Key was used for a different request, which became build #{row.number}. Use a new key for a "
            "new request."
        )
    return get_build(actor, row.id)


def _check_room(tenant_id: uuid.UUID) -> None:
    waiting = Build.objects.filter(tenant_id=tenant_id, status=BuildStatus.QUEUED)
    if waiting.values_list("id")[MAX_QUEUED_PER_TENANT - 1 : MAX_QUEUED_PER_TENANT]:
        raise Conflict(f"This team has {MAX_QUEUED_PER_TENANT:,} builds waiting. Cancel some, or wait until they ran.")


def _origins(asked: Mapping[str, Any], manifest: Manifest) -> dict[str, str]:
    """Return which fields were asked for, and which the project gave."""
    given = {name: SUBMISSION for name, value in asked.items() if name != "source" or value}
    return {name: PROJECT for name in ("source", "dockerfile", "context") if name in manifest.model_fields_set} | given


def _store(
    actor: Actor, project: ProjectView, manifest: Manifest, *, start: bool, trigger: str, key: str | None,
    request: str,
    origins: Mapping[str, str],
) -> Build:  # fmt: skip
    queue = Queue.INTERACTIVE if trigger in set(Trigger) else Queue.AUTOMATIC  # a person waits for it
    ref = ""
    if manifest.source.kind == "git":
        ref = manifest.source.ref or str(project.source.get("ref", ""))
    build = Build.objects.create(
        tenant_id=project.tenant_id,
        project_id=project.id,
        number=next_build_number(project.id),
        name=manifest.name if manifest.name != "build" else f"Build {project.name}",
        status=BuildStatus.QUEUED if start else BuildStatus.DRAFT,
        method=manifest.method,
        manifest=manifest.document(),
        origins=dict(origins),
        source={
            "kind": manifest.source.kind,
            "url": project.source.get("url", "") if manifest.source.kind == "git" else "",
            "credential_id": str(project.credential_id or ""),
        },
        queue=queue,
        rank=QUEUE_ORDER[queue] * 10 + manifest.priority,
        trigger=trigger,
        created_by_id=actor.subject_id,
        started_by_id=actor.key_id or actor.user_id,
        created_by_name=actor.name[:200],
        idempotency_key=key,
        request_digest=request if key is not None else "",
        queued_at=now() if start else None,
        ref=ref,
    )
    BuildText.objects.create(
        build=build, words=BuildText.words_of(build.name, ""), codes=BuildText.codes_of("", build.number)
    )
    who = (build.tenant_id, build.project_id, build.id, build.number)
    happened: list[events.BuildEvent] = [events.BuildCreated(*who, build.name, build.method, trigger)]
    if start:
        enqueue(build.tenant_id)
        happened.append(events.BuildQueued(*who, "submitted"))
    emit(actor, *happened, correlation_id=str(build.id))
    return build


def start_build(actor: Actor, build_id: uuid.UUID) -> BuildDetail:
    """Queue a draft, or queue a finished build for one more attempt with the same manifest.

    Raises BuildNotFound, CapabilityOff, PermissionDenied, ProjectArchived, InvalidTransition, Conflict.
    """
    build = get_build(actor, build_id)
    require_capability(actor, Capability.BUILD)
    authorize(policies.may_start(actor, build.project_id))
    status = BuildStatus(build.status)
    if status in {BuildStatus.QUEUED, BuildStatus.RUNNING}:
        raise BUILD.refuse(status, BuildStatus.QUEUED)
    _check_room(build.tenant_id)
    with transaction.atomic():
        require_open(build.project_id)
        moved = Build.objects.filter(id=build.id, status=status).update(
            status=BuildStatus.QUEUED,
            started_by_id=actor.key_id or actor.user_id,
            queued_at=now(),
            started_at=None,
            finished_at=None,
            cancel_requested_at=None,
            not_before=None,
            wait_reason="",
            lost=0,
            dispatch_failures=0,
            failure={},
        )
        if not moved:
            raise BUILD.refuse(status, BuildStatus.QUEUED)
        enqueue(build.tenant_id)
        why = "rerun" if status in FINISHED else "started"
        emit(
            actor,
            events.BuildQueued(build.tenant_id, build.project_id, build.id, build.number, why, {"status": str(status)}),
            correlation_id=str(build.id),
        )
    return get_build(actor, build.id)


def rerun_build(actor: Actor, build_id: uuid.UUID, changes: Mapping[str, Any] | None = None) -> BuildDetail:
    """Run a finished build again: the same build where nothing changed, a new one where something did.

    `changes` are top-level manifest fields. Raises as start_build and submit_build do.
    """
    build = get_build(actor, build_id)
    if not changes or all(build.manifest.get(k) == v for k, v in changes.items()):
        return start_build(actor, build_id)
    asked = Build.objects.values_list("origins", flat=True).get(id=build.id)
    if asked is None:
        asked = dict.fromkeys(build.manifest, SUBMISSION)
    kept = {name: value for name, value in build.manifest.items() if name in asked}
    return submit_build(
        actor, build.project_id, {**kept, **changes}, trigger=Trigger.RERUN, origins={**asked, **dict.fromkeys(changes, SUBMISSION)},
    )  # fmt: skip
