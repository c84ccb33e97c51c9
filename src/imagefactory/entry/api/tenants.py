"""One's own tenants: profile, logo, capabilities asked for, export and end."""

from __future__ import annotations

import uuid
from typing import Any

from django.http import FileResponse, HttpRequest, HttpResponse
from ninja import Router, Status

from imagefactory.adapters.blobs.base import BlobNotFound
from imagefactory.adapters.blobs.files import FileBlobs
from imagefactory.domain.identity import selectors, services
from imagefactory.domain.identity.errors import ExportNotFound
from imagefactory.domain.identity.permissions import Capability
from imagefactory.entry.api import schemas as base
from imagefactory.entry.api import tenant_schemas as s
from imagefactory.entry.api.idempotency import once
from imagefactory.entry.api.preconditions import if_version
from imagefactory.entry.api.security import actor, needs
from imagefactory.entry.http.actors import actor_of
from imagefactory.kernel import env
from imagefactory.kernel.actor import Actor
from imagefactory.kernel.errors import NotFound

router = Router(tags=["tenants"])


def _inside(request: HttpRequest, tenant: str) -> Actor:
    """Return who asks, in the tenant of the address.

    Raises TenantNotFound for one that they are not in.
    """
    actor(request)
    return actor_of(request, tenant[:64])


def _tagged(response: HttpResponse, tenant_id: uuid.UUID) -> selectors.TenantProfile:
    profile = selectors.tenant_profile(tenant_id)
    response["ETag"] = f'"{profile.version}"'
    return profile


@router.get("", response=s.TenantsOut, openapi_extra=needs("signed in"))
def list_tenants(request: HttpRequest) -> Any:
    """Return the tenants that one belongs to; with a key, its one."""
    a = actor(request)
    mine = selectors.tenants_of(a.person)
    return {"items": [t for t in mine if a.key_id is None or t.id == a.tenant_id]}


@router.post("", response={201: base.TenantOut}, openapi_extra=needs("signed in"))
@once
def create_tenant(request: HttpRequest, body: s.TenantIn) -> Status[Any]:
    """Make one more tenant, which one owns; where sign-up is by approval, it waits for it."""
    made = services.create_tenant(actor(request), name=body.name, slug=body.slug)
    return Status(201, {"id": made.id, "slug": made.slug, "name": made.name, "role": "owner"})


@router.get("/{tenant}", response=s.TenantProfileOut, openapi_extra=needs("member"))
def get_tenant(request: HttpRequest, response: HttpResponse, tenant: str) -> Any:
    """Return a tenant by its slug or id; its ETag goes into If-Match of a change."""
    return _tagged(response, _inside(request, tenant).tenant)


@router.patch("/{tenant}", response=s.TenantProfileOut, openapi_extra=needs("settings:edit"))
def change_tenant(request: HttpRequest, response: HttpResponse, tenant: str, body: s.TenantChange) -> Any:
    """Change a tenant's profile; honours If-Match with 412 when someone else was faster."""
    a = _inside(request, tenant)
    given = {name: value for name, value in body.dict().items() if value is not None}
    services.update_tenant(a, a.tenant, if_version=if_version(request), **given)
    return _tagged(response, a.tenant)


@router.delete("/{tenant}", response={204: None}, openapi_extra=needs("owner, always"))
def delete_tenant(request: HttpRequest, tenant: str, body: s.TenantDeleteIn) -> Status[None]:
    """Begin the deletion: an export is made, and everything is removed after the grace period."""
    a = _inside(request, tenant)
    services.delete_tenant(a, a.tenant, confirm=body.confirm, reason=body.reason)
    return Status(204, None)


@router.post("/{tenant}/keep", response={204: None}, openapi_extra=needs("owner, always"))
def keep_tenant(request: HttpRequest, tenant: str, body: s.ReasonIn) -> Status[None]:
    """Stop the deletion; the tenant is as it was before."""
    a = _inside(request, tenant)
    services.stop_deletion(a, a.tenant, reason=body.reason)
    return Status(204, None)


@router.put("/{tenant}/logo", response={204: None}, openapi_extra=needs("settings:edit"))
def set_logo(request: HttpRequest, tenant: str) -> Status[None]:
    """Set the logo: the body is a PNG, JPEG or WebP of at most 200 kB and 1024 by 1024 pixels."""
    a = _inside(request, tenant)
    services.set_logo(a, a.tenant, request.read(services.MAX_LOGO_BYTES + 1))
    return Status(204, None)


@router.delete("/{tenant}/logo", response={204: None}, openapi_extra=needs("settings:edit"))
def remove_logo(request: HttpRequest, tenant: str) -> Status[None]:
    """Remove the logo."""
    a = _inside(request, tenant)
    services.remove_logo(a, a.tenant)
    return Status(204, None)


@router.post("/{tenant}/capabilities/{capability}/request", response={204: None}, openapi_extra=needs("settings:edit"))
def request_capability(request: HttpRequest, tenant: str, capability: str, body: s.MessageIn) -> Status[None]:
    """Ask the administrators for a capability, once a day for each."""
    a = _inside(request, tenant)
    if capability not in set(Capability):
        raise NotFound("capability")
    services.request_capability(a, Capability(capability), message=body.message)
    return Status(204, None)


@router.get("/{tenant}/exports", response=s.ExportsOut, openapi_extra=needs("owner, always"))
def list_exports(request: HttpRequest, tenant: str) -> Any:
    """Return the newest exports."""
    a = _inside(request, tenant)
    return {"items": services.exports_for_owner(a, a.tenant)}


@router.post("/{tenant}/exports", response={202: s.TenantExportOut}, openapi_extra=needs("owner, always"))
def request_export(request: HttpRequest, tenant: str) -> Status[Any]:
    """Have an export made; one that is being made is returned again."""
    a = _inside(request, tenant)
    made = services.request_export(a, a.tenant)
    return Status(202, next(e for e in selectors.exports_of(a.tenant) if e.id == made))


@router.get("/{tenant}/exports/{uuid:export_id}/archive", openapi_extra=needs("owner, always"))
def download_export(request: HttpRequest, tenant: str, export_id: uuid.UUID) -> Any:
    """Download a zip of JSON files."""
    a = _inside(request, tenant)
    digest = services.open_export(a, a.tenant, export_id)
    try:
        file = FileBlobs(env.get().data_dir / "blobs").open(digest)
    except BlobNotFound:
        raise ExportNotFound from None
    return FileResponse(
        file, as_attachment=True, filename=f"{a.tenant_slug}-export.zip", content_type="application/zip"
    )
