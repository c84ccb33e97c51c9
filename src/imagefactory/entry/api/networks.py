"""From which networks a tenant takes requests."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from ninja import Router, Status

from imagefactory.domain.identity import selectors, services
from imagefactory.entry.api import key_schemas as k
from imagefactory.entry.api.preconditions import if_version
from imagefactory.entry.api.security import actor, needs

router = Router(tags=["tenants"])
admin = Router(tags=["admin"])


@router.get("", response=k.NetworksOut, openapi_extra=needs("member"))
def get_networks(request: HttpRequest, response: HttpResponse) -> Any:
    """Return the list; an empty one takes requests from everywhere. Its ETag goes into If-Match of a change."""
    found = selectors.ip_list(actor(request))
    response["ETag"] = f'"{found.version}"'
    return found


@router.put("", response=k.NetworksOut, openapi_extra=needs("settings:edit"))
def set_networks(request: HttpRequest, response: HttpResponse, body: k.NetworksIn) -> Any:
    """Replace the list. One that would shut out whoever sends it is refused."""
    a = actor(request)
    services.set_ip_list(
        a, networks=[(n.cidr, n.note) for n in body.networks], for_sessions=body.for_sessions,
        confirmed=body.confirmed, if_version=if_version(request),
    )  # fmt: skip
    return get_networks(request, response)


@admin.delete("/{tenant}/network", response={204: None}, openapi_extra=needs("administrator"))
def clear_networks(request: HttpRequest, tenant: str) -> Status[None]:
    """Empty the list of a tenant that shut everyone out. Safe to repeat."""
    services.clear_ip_list(actor(request), tenant)
    return Status(204, None)
