"""The installation: all tenants and people, capabilities, system roles. Only for people with a system role, never keys."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any, Final

from django.http import HttpRequest
from ninja import Router, Status

from imagefactory.domain.identity import policies, selectors, services
from imagefactory.domain.identity.permissions import SystemRole
from imagefactory.entry.api import schemas as base
from imagefactory.entry.api import tenant_schemas as s
from imagefactory.entry.api.idempotency import once
from imagefactory.entry.api.security import actor, needs
from imagefactory.kernel.actor import Actor
from imagefactory.kernel.authorize import authorize
from imagefactory.kernel.errors import NotFound

router = Router(tags=["admin"])
SEE, CHANGE = needs("administrator, reading"), needs("administrator")
_TENANT_ACTIONS: Final[dict[str, Callable[..., None]]] = {
    "approve": services.approve_tenant,
    "refuse": services.refuse_tenant,
    "suspend": services.suspend_tenant,
    "lift": services.lift_suspension,
    "keep": services.stop_deletion,
}
_ACCOUNT_ACTIONS: Final[dict[str, Callable[..., object]]] = {
    "suspend": services.suspend_account,
    "restore": services.restore_account,
    "end-sessions": services.end_sessions,
    "unlock": services.unlock_account,
    "force-password-change": services.force_new_password,
    "reset-second-factors": services.reset_second_factors,
}


def _administrator(request: HttpRequest, *, change: bool = False) -> Actor:
    """Return who asks, before anything they name is looked up.

    Raises NotFound for whoever holds no system role, PermissionDenied for whoever may not change the installation.
    """
    found = selectors.outside_tenants(actor(request))
    authorize(policies.may_change_installation(found) if change else policies.may_see_installation(found))
    return found


@router.get("/tenants", response=s.TenantRowsOut, openapi_extra=SEE)
def list_tenants(
    request: HttpRequest, search: base.Text = "", state: base.Text = "", cursor: base.Text = "", limit: int = 50
) -> Any:
    """Return all tenants by slug; `state` is active, awaiting_approval, suspended or deleting."""
    items, after, total = selectors.all_tenants(
        _administrator(request), search=search, state=state, after=cursor, limit=max(1, min(limit, 200))
    )
    return {"items": items, "next_cursor": after, "total": total}


@router.post("/tenants", response={201: base.TenantOut}, openapi_extra=CHANGE)
@once
def create_tenant(request: HttpRequest, body: s.AdminTenantIn) -> Status[Any]:
    """Make a tenant that someone with an account owns; it is active at once."""
    made = services.create_tenant_for(_administrator(request, change=True), **body.dict())
    return Status(201, {"id": made.id, "slug": made.slug, "name": made.name, "role": "owner"})


@router.get("/tenants/{tenant}", response=s.TenantProfileOut, openapi_extra=SEE)
def get_tenant(request: HttpRequest, tenant: str) -> Any:
    """Return a tenant by its slug or id."""
    a = _administrator(request)
    return selectors.tenant_profile(selectors.tenant_id_of(a, tenant))


@router.get("/tenants/{tenant}/history", response=s.DecisionsOut, openapi_extra=SEE)
def history(request: HttpRequest, tenant: str) -> Any:
    """Return the newest decisions about a tenant: its state and capabilities, before and after, why and by whom."""
    a = _administrator(request)
    return {"items": selectors.history_of(selectors.tenant_id_of(a, tenant))}


@router.post("/tenants/{tenant}/{action}", response={204: None}, openapi_extra=CHANGE)
def act_on_tenant(request: HttpRequest, tenant: str, action: s.TenantAction, body: s.ReasonIn) -> Status[None]:
    """Approve, refuse, suspend, lift the suspension, or stop the deletion (`keep`) of a tenant, with a reason."""
    a = _administrator(request, change=True)
    _TENANT_ACTIONS[action](a, selectors.tenant_id_of(a, tenant), reason=body.reason)
    return Status(204, None)


@router.delete("/tenants/{tenant}", response={204: None}, openapi_extra=CHANGE)
def delete_tenant(request: HttpRequest, tenant: str, body: s.TenantDeleteIn) -> Status[None]:
    """Begin the deletion of a tenant: an export is made, and everything is removed after the grace period."""
    a = _administrator(request, change=True)
    services.delete_tenant(a, selectors.tenant_id_of(a, tenant), confirm=body.confirm, reason=body.reason)
    return Status(204, None)


@router.put("/capabilities", response=s.MovedOut, openapi_extra=CHANGE)
def set_capabilities(request: HttpRequest, body: s.CapabilitiesIn) -> Any:
    """Switch capabilities of several tenants, all or none, with one reason; returns how many switches moved."""
    a = _administrator(request, change=True)
    ids = [selectors.tenant_id_of(a, key) for key in dict.fromkeys(body.tenants)]
    return {"moved": services.set_capabilities(a, ids, body.capabilities, reason=body.reason)}


@router.get("/users", response=s.PersonRowsOut, openapi_extra=SEE)
def list_users(
    request: HttpRequest,
    search: base.Text = "",
    state: base.Text = "",
    system_role: base.Text = "",
    cursor: base.Text = "",
    limit: int = 50,
) -> Any:
    """Return all people by e-mail address; `state` is active or suspended, `system_role` one of them or any."""
    items, after, total = selectors.all_people(
        _administrator(request),
        search=search,
        state=state,
        role=system_role,
        after=cursor,
        limit=max(1, min(limit, 200)),
    )
    return {"items": items, "next_cursor": after, "total": total}


@router.get("/users/{uuid:user_id}", response=s.PersonOut, openapi_extra=SEE)
def get_user(request: HttpRequest, user_id: uuid.UUID) -> Any:
    """Return a person with their tenants, system roles and sign-ins to the API."""
    return selectors.get_person(_administrator(request), user_id)


@router.post("/users/{uuid:user_id}/{action}", response={204: None}, openapi_extra=CHANGE)
def act_on_user(request: HttpRequest, user_id: uuid.UUID, action: s.AccountAction, body: s.ReasonIn) -> Status[None]:
    """Do one thing to an account, with a reason.

    Suspend or restore it, end its sessions, forget its failed sign-ins, ask for a new password, take second factors that
    were lost.
    """
    _ACCOUNT_ACTIONS[action](_administrator(request, change=True), user_id, reason=body.reason)
    return Status(204, None)


def _role(text: str) -> SystemRole:
    if text not in set(SystemRole):
        raise NotFound("system role")
    return SystemRole(text)


@router.put("/users/{uuid:user_id}/system-roles/{role}", response=s.NewsOut, openapi_extra=CHANGE)
def grant(request: HttpRequest, user_id: uuid.UUID, role: str, body: s.ReasonIn) -> Any:
    """Give a person a system role, with a reason."""
    a = _administrator(request, change=True)
    return {"changed": services.grant_system_role(a, user_id, _role(role), reason=body.reason)}


@router.delete("/users/{uuid:user_id}/system-roles/{role}", response=s.NewsOut, openapi_extra=CHANGE)
def revoke(request: HttpRequest, user_id: uuid.UUID, role: str, body: s.ReasonIn) -> Any:
    """Take a system role from a person, with a reason; the last administrator keeps it."""
    a = _administrator(request, change=True)
    return {"changed": services.revoke_system_role(a, user_id, _role(role), reason=body.reason)}
