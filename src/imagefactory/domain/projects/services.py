"""Create, change, archive and delete projects; keep their credentials and uploads."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Mapping
from typing import Any, BinaryIO

from django.db import IntegrityError, transaction
from django.db.models import F

from imagefactory.adapters.blobs.base import BlobTooLarge
from imagefactory.adapters.blobs.files import FileBlobs
from imagefactory.domain.identity import policies
from imagefactory.domain.identity.permissions import Permission
from imagefactory.domain.identity.selectors import require_tenant
from imagefactory.domain.identity.services import drop_project_roles
from imagefactory.domain.projects import events
from imagefactory.domain.projects.errors import CredentialNotFound, ProjectArchived, StaleProject
from imagefactory.domain.projects.models import Credential, Project, Upload
from imagefactory.domain.projects.selectors import MAX_CREDENTIALS, ProjectView, UploadView, get_project, view
from imagefactory.domain.projects.states import CredentialKind, SourceKind
from imagefactory.kernel import env, ids, secrets
from imagefactory.kernel.actor import Actor
from imagefactory.kernel.authorize import authorize
from imagefactory.kernel.clock import now
from imagefactory.kernel.errors import TooLarge, ValidationFailed
from imagefactory.kernel.outbox.emit import emit

_CREDENTIAL_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,59}")
_SECRET_MAX = 16_384
_SECRET_MIN = 4
_PIECE = 1024 * 1024
_TOLD = 2000  # characters of a setting in an event


def create_project(actor: Actor, *, name: str, slug: str = "", description: str = "") -> ProjectView:
    """Create a project in the actor's tenant.

    Raises PermissionDenied, ValidationFailed.
    """
    tenant_id = require_tenant(actor)
    authorize(policies.may(actor, Permission.PROJECT_CREATE))
    slug = slug or ids.slugify(name)
    wrong = _name_errors(name, description)
    if not ids.is_slug(slug) or slug in ids.RESERVED_SLUGS:
        wrong["slug"] = [f"The short name is {ids.SLUG_RULE}, and not a reserved word. It stands in image names."]
    elif Project.objects.filter(tenant_id=tenant_id, slug=slug, published=True, deleted_at__isnull=False).exists():
        wrong["slug"] = [
            f"The short name {slug} belonged to a project that was deleted, and images under it may still be in use, so it "
            "is not given out again. Choose another."
        ]
    if wrong:
        raise ValidationFailed(wrong)
    try:
        with transaction.atomic():
            made = Project.objects.create(
                tenant_id=tenant_id, slug=slug, name=name.strip(), description=description.strip()
            )
            after = {"name": made.name, "slug": slug, "description": made.description}
            emit(actor, events.ProjectCreated(tenant_id, made.id, slug, made.name, after))
    except IntegrityError:
        raise ValidationFailed({"slug": [f"This team has a project {slug}. Choose another short name."]}) from None
    return view(made)


def _name_errors(name: str, description: str) -> dict[str, list[str]]:
    wrong: dict[str, list[str]] = {}
    if not 1 <= len(name.strip()) <= 120:
        wrong["name"] = ["Give the project a name, in at most 120 characters."]
    if len(description) > 2000:
        wrong["description"] = ["The description is longer than 2,000 characters."]
    return wrong


def _editable(actor: Actor, project_id: uuid.UUID) -> ProjectView:
    project = get_project(actor, project_id)
    authorize(policies.may(actor, Permission.SETTINGS_EDIT, project.id))
    return project


def _change(actor: Actor, project: ProjectView, if_version: int | None, **fields: Any) -> ProjectView:
    """Write `fields` by compare-and-set on the version that was read."""
    expected = project.version if if_version is None else if_version
    with transaction.atomic():
        changed = Project.objects.filter(id=project.id, version=expected, deleted_at=None).update(
            **fields, version=F("version") + 1, updated_at=now()
        )
        if not changed:
            raise StaleProject
        after = view(Project.objects.get(id=project.id))
        old, new = _shown(project), _shown(after)
        # Compared whole and told cut: a Dockerfile has up to 200,000 characters, and an event is no place for it.
        before_fields = {k: v[:_TOLD] for k, v in old.items() if v != new.get(k)}
        after_fields = {k: v[:_TOLD] for k, v in new.items() if v != old.get(k)}
        emit(actor, events.ProjectChanged(project.tenant_id, project.id, project.slug, before_fields, after_fields))
    return after


def _shown(project: ProjectView) -> dict[str, str]:
    """Return what an event says of a project's settings, one field each, so that only what changed is told."""
    source = {f"source_{k}": str(v) for k, v in project.source.items()}
    credential = str(project.credential_id) if project.credential_id else ""
    return {
        "name": project.name, "description": project.description, "source_kind": project.source_kind, **source,
        "credential_id": credential,
    }  # fmt: skip


def update_project(
    actor: Actor, project_id: uuid.UUID, *, name: str, description: str, if_version: int | None = None
) -> ProjectView:
    """Change a project's name and description.

    Raises ProjectNotFound, PermissionDenied, ValidationFailed, StaleProject.
    """
    project = _editable(actor, project_id)
    if wrong := _name_errors(name, description):
        raise ValidationFailed(wrong)
    return _change(actor, project, if_version, name=name.strip(), description=description.strip())


def set_source(
    actor: Actor,
    project_id: uuid.UUID,
    *,
    kind: str,
    source: Mapping[str, Any],
    credential_id: uuid.UUID | None = None,
    if_version: int | None = None,
) -> ProjectView:
    """Say where builds of this project take their source from: git, an uploaded archive, or an inline Dockerfile.

    Raises ProjectNotFound, PermissionDenied, ValidationFailed, StaleProject.
    """
    project = _editable(actor, project_id)
    clean, wrong = _clean_source(project.id, kind, source)
    if credential_id and not Credential.objects.filter(project_id=project.id, id=credential_id).exists():
        wrong["credential_id"] = ["This project has no such credential. Add it first, or choose another."]
    if wrong:
        raise ValidationFailed(wrong)
    return _change(actor, project, if_version, source_kind=kind, source=clean, credential_id=credential_id)


def _clean_source(
    project_id: uuid.UUID, kind: str, source: Mapping[str, Any]
) -> tuple[dict[str, str], dict[str, list[str]]]:
    wanted = {
        SourceKind.NONE: [],
        SourceKind.GIT: ["url", "ref", "dockerfile", "context"],
        SourceKind.ARCHIVE: ["upload_id", "dockerfile", "context"],
        SourceKind.INLINE: ["dockerfile_text"],
    }
    wrong: dict[str, list[str]] = {}
    if kind not in wanted:
        return {}, {"kind": ["Choose git, archive or inline."]}
    clean = {k: str(source.get(k, "") or "").strip() for k in wanted[SourceKind(kind)]}
    if kind == SourceKind.GIT:
        clean["ref"] = clean["ref"] or "main"
        wrong |= git_url_errors(clean["url"])
        if not re.fullmatch(r"[A-Za-z0-9][\w./+@-]{0,199}", clean["ref"]) or ".." in clean["ref"]:
            wrong["ref"] = ["Give a branch, a tag or a commit, such as main."]
    if kind == SourceKind.ARCHIVE:
        try:
            known = Upload.objects.filter(project_id=project_id, id=uuid.UUID(clean["upload_id"])).exists()
        except ValueError:
            known = False
        if not known:
            wrong["upload_id"] = ["Upload an archive to this project first, then choose it."]
    if kind == SourceKind.INLINE:
        clean["dockerfile_text"] = str(source.get("dockerfile_text", ""))
        if not 1 <= len(clean["dockerfile_text"]) <= 200_000:
            wrong["dockerfile_text"] = ["Write a Dockerfile, of at most 200,000 characters."]
    for field, default in (("dockerfile", "Dockerfile"), ("context", ".")):
        if field in clean:
            clean[field] = clean[field] or default
            if clean[field].startswith("/") or ".." in clean[field].split("/") or len(clean[field]) > 400:
                wrong[field] = [f"The {field} is a path inside the source, without `..`."]
    return clean, wrong


def git_url_errors(url: str) -> dict[str, list[str]]:
    """Return what is wrong with a repository address: form only; whether it answers is for the access test."""
    if "\0" in url or len(url) > 1000 or any(c.isspace() for c in url):
        return {"url": ["The repository address has characters that do not belong there, or is too long."]}
    if re.match(r"https?://[^/@]*:[^/@]*@", url):
        return {"url": ["The repository address holds a password. Take it out and add it as a credential."]}
    if re.fullmatch(r"(https|ssh|file)://\S+|http://\S+|[\w.-]+@[\w.-]+:\S+", url):
        return {}
    return {"url": ["Give the repository's address: https://…, ssh://…, git@host:path, or file://…."]}


def archive_project(actor: Actor, project_id: uuid.UUID) -> None:
    """Hide a project; its data stays. Safe to repeat."""
    project = _editable(actor, project_id)
    with transaction.atomic():
        if Project.objects.filter(id=project.id, archived_at=None).update(archived_at=now()):
            emit(actor, events.ProjectArchivedEvent(project.tenant_id, project.id, project.slug))


def restore_project(actor: Actor, project_id: uuid.UUID) -> None:
    """Bring an archived project back. Safe to repeat."""
    project = _editable(actor, project_id)
    with transaction.atomic():
        if Project.objects.filter(id=project.id, archived_at__isnull=False).update(archived_at=None):
            emit(actor, events.ProjectRestored(project.tenant_id, project.id, project.slug))


def delete_project(actor: Actor, project_id: uuid.UUID, *, confirm: str) -> None:
    """Delete a project for everyone: its builds stop, its people lose it, its credentials are destroyed.

    `confirm` is the typed short name. Raises ProjectNotFound, PermissionDenied, ValidationFailed.
    """
    project = get_project(actor, project_id)
    authorize(policies.may(actor, Permission.PROJECT_DELETE, project.id))
    if confirm != project.slug:
        raise ValidationFailed({"confirm": [f"Type the project's short name, {project.slug}, to delete it."]})
    with transaction.atomic():
        if Project.objects.filter(id=project.id, deleted_at=None).update(deleted_at=now()):
            Credential.objects.filter(project_id=project.id).delete()
            drop_project_roles(project.tenant_id, project.id)
            gone = {k: v[:_TOLD] for k, v in _shown(project).items()}
            emit(actor, events.ProjectDeleted(project.tenant_id, project.id, project.slug, gone))


def _credential_errors(name: str, kind: str, secret: str, username: str) -> dict[str, list[str]]:
    wrong: dict[str, list[str]] = {}
    if not _CREDENTIAL_NAME.fullmatch(name):
        wrong["name"] = [
            "A name has 1 to 60 letters, digits, dots, hyphens or underscores, and starts with one of the first two."
        ]
    if kind not in set(CredentialKind):
        wrong["kind"] = ["Choose git_password, git_ssh_key or build_secret."]
    # Spaces around it are not looked for in logs, so they count for nothing.
    if len(secret.strip()) < _SECRET_MIN or len(secret) > _SECRET_MAX:
        wrong["secret"] = [
            f"The value has {_SECRET_MIN} to {_SECRET_MAX:,} characters; a shorter one cannot be masked in logs."
        ]
    if kind == CredentialKind.GIT_SSH_KEY and "PRIVATE KEY" not in secret:
        wrong["secret"] = ["This is not a private key. Paste the whole file, with its BEGIN and END lines."]
    if len(username) > 120 or "\n" in username:
        wrong["username"] = ["The user name is one line of at most 120 characters."]
    return wrong


def create_credential(
    actor: Actor, project_id: uuid.UUID, *, name: str, kind: str, secret: str, username: str = ""
) -> uuid.UUID:
    """Store a credential and return its id; the value can be replaced and used, never read back.

    Raises ProjectNotFound, PermissionDenied, ValidationFailed.
    """
    project = _editable(actor, project_id)
    if Credential.objects.filter(project_id=project.id).count() >= MAX_CREDENTIALS:
        raise ValidationFailed(
            {"name": [f"This project has {MAX_CREDENTIALS} credentials, the most. Delete one first."]}
        )
    if wrong := _credential_errors(name, kind, secret, username):
        raise ValidationFailed(wrong)
    try:
        with transaction.atomic():
            made = Credential.objects.create(
                project_id=project.id,
                name=name,
                kind=kind,
                username=username,
                secret=secrets.encrypt(secret),
                created_by_name=actor.name[:120],
            )
            emit(
                actor,
                events.CredentialCreated(
                    project.tenant_id,
                    project.id,
                    project.slug,
                    made.id,
                    name,
                    kind,
                    {"name": name, "kind": kind, "username": username},
                ),  # fmt: skip
            )
    except IntegrityError:
        raise ValidationFailed(
            {"name": [f"This project has a credential {name}. Delete it first, or choose another name."]}
        ) from None
    return made.id


def delete_credential(actor: Actor, project_id: uuid.UUID, credential_id: uuid.UUID) -> None:
    """Destroy a credential.

    Raises ProjectNotFound, PermissionDenied, CredentialNotFound.
    """
    project = _editable(actor, project_id)
    with transaction.atomic():
        credential = Credential.objects.filter(project_id=project.id, id=credential_id).first()
        if credential is None:
            raise CredentialNotFound
        credential.delete()
        emit(
            actor,
            events.CredentialDeleted(
                project.tenant_id,
                project.id,
                project.slug,
                credential_id,
                credential.name,
                {"name": credential.name, "kind": credential.kind, "username": credential.username},
            ),  # fmt: skip
        )


def mark_credentials_used(project_id: uuid.UUID, names: list[str]) -> None:
    """Note when credentials were last used; called by the dispatcher."""
    Credential.objects.filter(project_id=project_id, name__in=names).update(last_used_at=now())


def upload_archive(actor: Actor, project_id: uuid.UUID, *, filename: str, content: BinaryIO) -> UploadView:
    """Keep a source archive for builds of this project.

    Raises ProjectNotFound, PermissionDenied, ValidationFailed, TooLarge.
    """
    project = get_project(actor, project_id)
    authorize(policies.may(actor, Permission.BUILD_START, project.id))
    filename = filename.rsplit("/", 1)[-1].strip()[:200]
    if not filename.lower().endswith((".tar", ".tar.gz", ".tgz", ".tar.xz", ".tar.bz2", ".zip")):
        raise ValidationFailed({"archive": ["Upload a .tar, .tar.gz, .tgz, .tar.xz, .tar.bz2 or .zip file."]})
    settings = env.get()
    limit = settings.max_context_mib * 1024 * 1024
    try:
        blob = FileBlobs(settings.data_dir / "blobs").put(iter(lambda: content.read(_PIECE), b""), max_bytes=limit)
    except BlobTooLarge:
        raise TooLarge(
            f"The archive is larger than {settings.max_context_mib} MiB, the limit for a build's source. Leave out what "
            "the build does not need, or ask the operator to raise IMAGEFACTORY_MAX_CONTEXT_MIB.",
            limit_bytes=limit,
        ) from None
    with transaction.atomic():
        made = Upload.objects.create(
            project_id=project.id,
            filename=filename,
            digest=blob.digest,
            size_bytes=blob.size,
            created_by_name=actor.name[:120],
        )
        emit(
            actor,
            events.ArchiveUploaded(
                project.tenant_id, project.id, project.slug, made.id, blob.digest, blob.size, filename
            ),
        )
    return UploadView(made.id, filename, blob.digest, blob.size, made.created_by_name, made.created_at)


def mark_published(project_id: uuid.UUID) -> None:
    """Note that the registry has an image of this project; called in the transaction that records it."""
    Project.objects.filter(id=project_id, published=False).update(published=True)


def next_build_number(project_id: uuid.UUID) -> int:
    """Return the next number of a build of this project; called inside the transaction that makes the build.

    Raises ProjectArchived.
    """
    Project.objects.filter(id=project_id).update(last_build_number=F("last_build_number") + 1)
    require_open(project_id)
    return Project.objects.values_list("last_build_number", flat=True).get(id=project_id)


def require_open(project_id: uuid.UUID) -> None:
    """Return when builds of this project may be queued; called inside the transaction that queues one.

    Raises ProjectArchived.
    """
    name = Project.objects.filter(id=project_id, archived_at__isnull=False).values_list("name", flat=True).first()
    if name is not None:
        raise ProjectArchived(name)


@transaction.atomic
def remove_projects(tenant_id: uuid.UUID, limit: int, forget: Callable[[str], None]) -> int:
    """Remove up to `limit` projects of a tenant that is removed, with their credentials and uploads; return how many.

    `forget` deletes an archive that no other upload names; the rows go after it, so that a killed run leaves none behind.
    """
    projects = list(Project.objects.filter(tenant_id=tenant_id).values_list("id", flat=True)[:limit])
    uploads = Upload.objects.filter(project_id__in=projects)
    digests = set(uploads.values_list("digest", flat=True))
    others = Upload.objects.filter(digest__in=digests).exclude(project_id__in=projects)
    for digest in sorted(digests - set(others.values_list("digest", flat=True))):
        forget(digest)
    Project.objects.filter(id__in=projects).delete()
    return len(projects)
