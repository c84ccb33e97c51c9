"""Read projects, within what the actor may see."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime as dt
import uuid
from collections.abc import Iterator, Mapping
from typing import Any

from django.db.models import Q

from imagefactory.domain.identity.selectors import require_tenant
from imagefactory.domain.projects.errors import CredentialNotFound, ProjectNotFound, UploadNotFound
from imagefactory.domain.projects.models import Credential, Project, ProjectQuerySet, Upload
from imagefactory.domain.projects.states import CredentialKind
from imagefactory.kernel import secrets
from imagefactory.kernel.actor import Actor

MAX_CREDENTIALS = 200  # of one project; a log can hide the values of 500 (adapters/logs/masking)


@dataclasses.dataclass(frozen=True)
class ProjectView:
    """A project as the doors show it."""

    id: uuid.UUID
    tenant_id: uuid.UUID
    slug: str
    name: str
    description: str
    source_kind: str
    source: Mapping[str, Any]
    credential_id: uuid.UUID | None
    version: int
    archived: bool
    created_at: dt.datetime
    updated_at: dt.datetime


@dataclasses.dataclass(frozen=True)
class CredentialView:
    """A credential without its value."""

    id: uuid.UUID
    name: str
    kind: str
    username: str
    created_by_name: str
    created_at: dt.datetime
    last_used_at: dt.datetime | None


@dataclasses.dataclass(frozen=True)
class UploadView:
    id: uuid.UUID
    filename: str
    digest: str
    size_bytes: int
    created_by_name: str
    created_at: dt.datetime


def view(p: Project) -> ProjectView:
    return ProjectView(
        p.id,
        p.tenant_id,
        p.slug,
        p.name,
        p.description,
        p.source_kind,
        p.source,
        p.credential_id,
        p.version,
        p.archived_at is not None,
        p.created_at,
        p.updated_at,
    )


def get_project(actor: Actor, key: str | uuid.UUID) -> ProjectView:
    """Return the project with this slug or id.

    Raises ProjectNotFound, also for one that the actor may not see.
    """
    match = Q(slug=str(key))
    if isinstance(key, uuid.UUID):
        match = Q(id=key)
    else:
        with contextlib.suppress(ValueError):
            match |= Q(id=uuid.UUID(key))
    found = Project.objects.visible_to(actor).filter(match).first()
    if found is None:
        raise ProjectNotFound
    return view(found)


def project_at(tenant_slug: str, slug: str) -> ProjectView | None:
    """Return the project with this address, for what comes from the registry and not from a person."""
    found = Project.objects.filter(tenant__slug=tenant_slug, slug=slug, deleted_at=None).first()
    return view(found) if found else None


def list_projects(
    actor: Actor, *, search: str = "", archived: bool = False, after: str = "", limit: int = 50
) -> tuple[list[ProjectView], str]:
    """Return projects by name, and the cursor of the next page or an empty string.

    The cursor is `name|id` of the last row, so that a rename never repeats or skips the others.
    """
    rows = _listed(actor, search, archived=archived)
    if after:
        name, _, last = after.rpartition("|")
        try:
            rows = rows.filter(Q(name__gt=name) | Q(name=name, id__gt=uuid.UUID(last)))
        except ValueError:
            return [], ""
    page = [view(p) for p in rows.order_by("name", "id")[: limit + 1]]
    more = len(page) > limit
    return page[:limit], f"{page[limit - 1].name}|{page[limit - 1].id}" if more else ""


def count_projects(actor: Actor, *, search: str = "", archived: bool = False) -> int:
    """Return how many projects `list_projects` has on all of its pages."""
    return _listed(actor, search, archived=archived).count()


def _listed(actor: Actor, search: str, *, archived: bool) -> ProjectQuerySet:
    require_tenant(actor)
    rows = Project.objects.visible_to(actor).filter(archived_at__isnull=not archived)
    if search:
        rows = rows.filter(Q(name__icontains=search[:100]) | Q(slug__icontains=search[:100]))
    return rows


def projects_by_id(actor: Actor, ids: set[uuid.UUID]) -> dict[uuid.UUID, ProjectView]:
    """Return those of the projects that the actor may see; for lists that show project names."""
    return {p.id: view(p) for p in Project.objects.visible_to(actor).filter(id__in=ids)}


def project_slug(project_id: uuid.UUID) -> str:
    """Return the short name of a project, for the address of something in it that the actor was found to see."""
    return Project.objects.values_list("slug", flat=True).get(id=project_id)


def list_credentials(actor: Actor, project_id: uuid.UUID) -> list[CredentialView]:
    """Return a project's credentials by name, never their values."""
    get_project(actor, project_id)
    rows = Credential.objects.filter(project_id=project_id).order_by("name")[:MAX_CREDENTIALS]
    return [
        CredentialView(c.id, c.name, c.kind, c.username, c.created_by_name, c.created_at, c.last_used_at) for c in rows
    ]


def list_uploads(actor: Actor, project_id: uuid.UUID, limit: int = 20) -> list[UploadView]:
    """Return the newest uploaded archives."""
    get_project(actor, project_id)
    rows = Upload.objects.filter(project_id=project_id).order_by("-created_at")[:limit]
    return [_upload(u) for u in rows]


def get_upload(actor: Actor, project_id: uuid.UUID, upload_id: uuid.UUID) -> UploadView:
    """Return one upload of this project.

    Raises UploadNotFound.
    """
    get_project(actor, project_id)
    u = Upload.objects.filter(project_id=project_id, id=upload_id).first()
    if u is None:
        raise UploadNotFound
    return _upload(u)


def has_upload(project_id: uuid.UUID, digest: str) -> bool:
    """Return whether an archive with this content was uploaded to the project; for the check of a manifest."""
    return Upload.objects.filter(project_id=project_id, digest=digest).exists()


def _upload(u: Upload) -> UploadView:
    return UploadView(u.id, u.filename, u.digest, u.size_bytes, u.created_by_name, u.created_at)


@dataclasses.dataclass(frozen=True)
class OpenedCredential:
    """A credential with its value; only inside the dispatcher and access tests."""

    kind: str
    username: str
    secret: str = dataclasses.field(repr=False)


def open_credential(project_id: uuid.UUID, credential_id: uuid.UUID) -> OpenedCredential:
    """Return the value of a project's credential, for the dispatcher.

    Raises CredentialNotFound; Unavailable when the key it was encrypted with is gone.
    """
    c = Credential.objects.filter(project_id=project_id, id=credential_id).first()
    if c is None:
        raise CredentialNotFound
    return OpenedCredential(c.kind, c.username, secrets.decrypt(bytes(c.secret)))


def open_build_secrets(project_id: uuid.UUID) -> dict[str, str]:
    """Return the values of all build secrets of a project by name, for the dispatcher."""
    rows = Credential.objects.filter(project_id=project_id, kind=CredentialKind.BUILD_SECRET)
    return {c.name: secrets.decrypt(bytes(c.secret)) for c in rows}


def secret_names(project_id: uuid.UUID) -> set[str]:
    """Return the names of a project's build secrets; for the check that a manifest asks for existing ones."""
    rows = Credential.objects.filter(project_id=project_id, kind=CredentialKind.BUILD_SECRET)
    return set(rows.values_list("name", flat=True))


def projects_to_export(tenant_id: uuid.UUID) -> Iterator[dict[str, Any]]:
    """Yield what a tenant takes along of its projects: settings, and the names of credentials without their values."""
    names: dict[uuid.UUID, list[dict[str, str]]] = {}
    for c in Credential.objects.filter(project__tenant_id=tenant_id).order_by("name"):
        names.setdefault(c.project_id, []).append({"name": c.name, "kind": c.kind, "username": c.username})
    rows = Project.objects.filter(tenant_id=tenant_id, deleted_at=None).order_by("slug")
    for p in rows.iterator(chunk_size=500):
        yield {
            "id": p.id, "slug": p.slug, "name": p.name, "description": p.description, "source_kind": p.source_kind,
            "source": p.source, "archived": p.archived_at is not None, "created_at": p.created_at,
            "credentials": names.get(p.id, []),
        }  # fmt: skip
