"""Projects, their source, credentials and uploads."""

from __future__ import annotations

import uuid
from typing import Any

from django.http import HttpRequest, HttpResponse
from ninja import File, Router, Status, UploadedFile

from imagefactory.domain.projects import selectors, services
from imagefactory.entry.api import schemas as s
from imagefactory.entry.api.idempotency import once
from imagefactory.entry.api.preconditions import if_version
from imagefactory.entry.api.security import actor, needs

router = Router(tags=["projects"])


def _tagged(response: HttpResponse, project: selectors.ProjectView) -> selectors.ProjectView:
    response["ETag"] = f'"{project.version}"'
    return project


@router.get("", response=s.ProjectsOut, openapi_extra=needs("project:view"))
def list_projects(
    request: HttpRequest, search: s.Text = "", archived: bool = False, cursor: s.Text = "", limit: int = 50
) -> Any:
    """Return the projects that one may see, by name."""
    a = actor(request)
    items, after = selectors.list_projects(
        a, search=search, archived=archived, after=cursor, limit=max(1, min(limit, 200))
    )
    return {
        "items": items,
        "next_cursor": after,
        "total": selectors.count_projects(a, search=search, archived=archived),
    }


@router.post("", response={201: s.ProjectOut}, openapi_extra=needs("project:create"))
@once
def create_project(request: HttpRequest, body: s.ProjectIn) -> Status[Any]:
    """Create a project."""
    return Status(201, services.create_project(actor(request), **body.dict()))


@router.get("/{project}", response=s.ProjectOut, openapi_extra=needs("project:view"))
def get_project(request: HttpRequest, response: HttpResponse, project: str) -> Any:
    """Return a project by its slug or id; its ETag goes into If-Match of a change."""
    return _tagged(response, selectors.get_project(actor(request), project))


@router.patch("/{project}", response=s.ProjectOut, openapi_extra=needs("settings:edit"))
def change_project(request: HttpRequest, response: HttpResponse, project: str, body: s.ProjectChange) -> Any:
    """Change a project's name or description; honours If-Match."""
    a = actor(request)
    p = selectors.get_project(a, project)
    changed = services.update_project(
        a,
        p.id,
        name=body.name if body.name is not None else p.name,
        description=body.description if body.description is not None else p.description,
        if_version=if_version(request),
    )
    return _tagged(response, changed)


@router.put("/{project}/source", response=s.ProjectOut, openapi_extra=needs("settings:edit"))
def set_source(request: HttpRequest, response: HttpResponse, project: str, body: s.SourceIn) -> Any:
    """Say where builds take their source from."""
    a = actor(request)
    p = selectors.get_project(a, project)
    changed = services.set_source(
        a,
        p.id,
        kind=body.kind,
        source=body.dict(exclude={"kind", "credential_id"}),
        credential_id=body.credential_id,
        if_version=if_version(request),
    )
    return _tagged(response, changed)


@router.post("/{project}/archive", response={204: None}, openapi_extra=needs("settings:edit"))
def archive_project(request: HttpRequest, project: str) -> Status[None]:
    """Hide a project; its data stays."""
    a = actor(request)
    services.archive_project(a, selectors.get_project(a, project).id)
    return Status(204, None)


@router.post("/{project}/restore", response={204: None}, openapi_extra=needs("settings:edit"))
def restore_project(request: HttpRequest, project: str) -> Status[None]:
    """Bring an archived project back."""
    a = actor(request)
    services.restore_project(a, selectors.get_project(a, project).id)
    return Status(204, None)


@router.delete("/{project}", response={204: None}, openapi_extra=needs("project:delete"))
def delete_project(request: HttpRequest, project: str, body: s.DeleteIn) -> Status[None]:
    """Delete a project; `confirm` is its slug."""
    a = actor(request)
    services.delete_project(a, selectors.get_project(a, project).id, confirm=body.confirm)
    return Status(204, None)


@router.get("/{project}/credentials", response=list[s.CredentialOut], openapi_extra=needs("project:view"))
def list_credentials(request: HttpRequest, project: str) -> Any:
    """Return the names of a project's credentials, never their values."""
    a = actor(request)
    return selectors.list_credentials(a, selectors.get_project(a, project).id)


@router.post("/{project}/credentials", response={201: dict[str, uuid.UUID]}, openapi_extra=needs("settings:edit"))
def create_credential(request: HttpRequest, project: str, body: s.CredentialIn) -> Status[Any]:
    """Store a credential or build secret; its value cannot be read back."""
    a = actor(request)
    made = services.create_credential(a, selectors.get_project(a, project).id, **body.dict())
    return Status(201, {"id": made})


@router.delete(
    "/{project}/credentials/{uuid:credential_id}", response={204: None}, openapi_extra=needs("settings:edit")
)
def delete_credential(request: HttpRequest, project: str, credential_id: uuid.UUID) -> Status[None]:
    """Destroy a credential."""
    a = actor(request)
    services.delete_credential(a, selectors.get_project(a, project).id, credential_id)
    return Status(204, None)


@router.post("/{project}/uploads", response={201: s.UploadOut}, openapi_extra=needs("build:start"))
def upload_archive(request: HttpRequest, project: str, archive: File[UploadedFile]) -> Status[Any]:
    """Upload a source archive (.tar, .tar.gz, .tar.xz, .zip)."""
    a = actor(request)
    p = selectors.get_project(a, project)
    return Status(201, services.upload_archive(a, p.id, filename=archive.name or "", content=archive.file))  # type: ignore[arg-type]
