"""Service accounts and their keys."""

from __future__ import annotations

import uuid
from typing import Any

from django.db import transaction
from django.http import HttpRequest
from ninja import Router, Status

from imagefactory.domain.identity import selectors, services
from imagefactory.entry.api import key_schemas as k
from imagefactory.entry.api.keys import project_ids
from imagefactory.entry.api.security import actor, needs
from imagefactory.kernel.actor import Actor

router = Router(tags=["service-accounts"])
MANAGE = needs("team:manage")


@router.get("", response=k.ServiceAccountsOut, openapi_extra=MANAGE)
def list_accounts(request: HttpRequest) -> Any:
    """Return the service accounts that one manages, by name."""
    a = actor(request)
    selectors.require_tenant(a)
    return {"items": selectors.service_accounts(a) if a.may_anywhere("team:manage") else []}


@router.post("", response={201: k.ServiceAccountOut}, openapi_extra=MANAGE)
def create_account(request: HttpRequest, body: k.ServiceAccountIn) -> Status[Any]:
    """Make a service account with no more rights than one has; without `projects`, for the whole tenant."""
    a = actor(request)
    fields = services.AccountFields(
        body.name, body.contact_email, body.description, body.role, body.permissions, project_ids(a, body.projects)
    )
    made = services.create_service_account(a, fields)
    return Status(201, selectors.service_account(a, made.id))


@router.get("/{uuid:account_id}", response=k.ServiceAccountOut, openapi_extra=MANAGE)
def get_account(request: HttpRequest, account_id: uuid.UUID) -> Any:
    """Return a service account."""
    return selectors.service_account(actor(request), account_id)


@router.patch("/{uuid:account_id}", response=k.ServiceAccountOut, openapi_extra=MANAGE)
def change_account(request: HttpRequest, account_id: uuid.UUID, body: k.ServiceAccountChange) -> Any:
    """Change a service account, switch it off or on, or answer for it from now on; its keys follow at once."""
    a = actor(request)
    before = selectors.service_account(a, account_id)
    with transaction.atomic():  # all of what one request asks, or nothing
        if fields := _changed(a, before, body):
            services.update_service_account(a, account_id, fields)
        if body.take_over:
            services.take_over_service_account(a, account_id)
        if body.disabled is not None:
            services.switch_service_account(a, account_id, on=not body.disabled)
    return selectors.service_account(a, account_id)


def _changed(
    a: Actor, before: selectors.ServiceAccountView, body: k.ServiceAccountChange
) -> services.AccountFields | None:
    said = body.dict(exclude_unset=True)
    if not said.keys() - {"disabled", "take_over"}:
        return None
    given = {name: value for name, value in said.items() if value is not None}
    projects = project_ids(a, body.projects) if body.projects is not None else before.project_ids
    # Permissions of one's own choice take the place of a role, and the other way round.
    role = given.get("role", "" if "permissions" in given else before.role)
    return services.AccountFields(
        given.get("name", before.name),
        given.get("contact_email", before.contact_email),
        given.get("description", before.description),
        role,
        given.get("permissions", before.permissions),
        None if body.whole_tenant else projects,
    )


@router.delete("/{uuid:account_id}", response={204: None}, openapi_extra=MANAGE)
def delete_account(request: HttpRequest, account_id: uuid.UUID) -> Status[None]:
    """Delete a service account; all of its keys stop working at once."""
    services.delete_service_account(actor(request), account_id)
    return Status(204, None)


@router.get("/{uuid:account_id}/keys", response=k.KeysOut, openapi_extra=MANAGE)
def list_keys(request: HttpRequest, account_id: uuid.UUID) -> Any:
    """Return the keys of a service account."""
    a = actor(request)
    return {"items": selectors.keys_of_account(a, selectors.service_account(a, account_id).id)}


@router.post("/{uuid:account_id}/keys", response={201: k.NewKeyOut}, openapi_extra=MANAGE)
def create_key(request: HttpRequest, account_id: uuid.UUID, body: k.KeyIn) -> Status[Any]:
    """Make a key of a service account; its text is shown this once. `/api-keys/{key_id}` rotates and revokes it."""
    a = actor(request)
    selectors.service_account(a, account_id)
    key, text = services.create_account_key(
        a, account_id, name=body.name, scopes=body.scopes, days=body.days,
        project_ids=project_ids(a, body.projects), note=body.note,
    )  # fmt: skip
    return Status(201, {"id": key.id, "name": key.name, "key": text, "expires_at": key.expires_at})
