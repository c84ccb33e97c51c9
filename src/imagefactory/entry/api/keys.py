"""API keys of people, and a tenant's rules for keys."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Any

from django.http import HttpRequest
from ninja import Router, Status

from imagefactory.domain.identity import selectors, services
from imagefactory.domain.projects.selectors import get_project
from imagefactory.entry.api import key_schemas as k
from imagefactory.entry.api import schemas as s
from imagefactory.entry.api.security import actor, needs
from imagefactory.kernel.actor import Actor
from imagefactory.kernel.errors import InvalidRequest

router = Router(tags=["api-keys"])
policy = Router(tags=["api-keys"])
PAGE = 50


def project_ids(a: Actor, names: Sequence[str] | None) -> list[uuid.UUID] | None:
    """Return the ids of projects that were named by slug or id; None stands for no limit.

    Raises ProjectNotFound for one that the actor may not see.
    """
    return None if names is None else [get_project(a, name).id for name in dict.fromkeys(names)]


@router.get("", response=k.KeysOut, openapi_extra=needs("signed in"))
def list_keys(request: HttpRequest, everyone: bool = False, search: s.Text = "", cursor: s.Text = "") -> Any:
    """Return one's own keys in this tenant; with `everyone`, all of the tenant, for who manages its whole team."""
    a = actor(request)
    selectors.require_tenant(a)
    if not everyone:
        return {"items": selectors.keys_of(a)}
    items = selectors.keys_of_tenant(a, search=search, after=_cursor(cursor), limit=PAGE + 1)
    return {"items": items[:PAGE], "next_cursor": str(items[PAGE - 1].id) if len(items) > PAGE else ""}


def _cursor(text: str) -> uuid.UUID | None:
    try:
        return uuid.UUID(text) if text else None
    except ValueError:
        raise InvalidRequest("This is no cursor of this list. Take `next_cursor` of the page before.") from None


@router.get("/ci", response=k.KeysOut, openapi_extra=needs("team:manage"))
def list_ci_keys(request: HttpRequest) -> Any:
    """Return the last 50 keys that were given to CI runs; none to who does not manage the whole team."""
    a = actor(request)
    selectors.require_tenant(a)
    return {"items": selectors.ci_keys_of_tenant(a) if a.may("team:manage") else []}


@router.post("", response={201: k.NewKeyOut}, openapi_extra=needs("signed in"))
def create_key(request: HttpRequest, body: k.KeyIn) -> Status[Any]:
    """Make a key; its text is shown this once."""
    a = actor(request)
    key, text = services.create_api_key(
        a, name=body.name, scopes=body.scopes, days=body.days, project_ids=project_ids(a, body.projects), note=body.note
    )
    return Status(201, {"id": key.id, "name": key.name, "key": text, "expires_at": key.expires_at})


@router.post("/{uuid:key_id}/rotate", response={201: k.RotatedOut}, openapi_extra=needs("signed in"))
def rotate_key(request: HttpRequest, key_id: uuid.UUID, body: k.RotateIn) -> Status[Any]:
    """Make a successor, shown this once; the old key works on for a while, and rotates no more."""
    made = services.rotate_key(actor(request), key_id, overlap_hours=body.overlap_hours)
    return Status(201, rotated(key_id, *made))


def rotated(old_id: uuid.UUID, key: Any, text: str) -> dict[str, Any]:
    """Return the answer about a rotation."""
    end = key.replaces.revoked_at or key.replaces.expires_at
    return {
        "id": key.id, "name": key.name, "key": text, "expires_at": key.expires_at, "old_key_id": old_id,
        "old_key_works_until": end,
    }  # fmt: skip


@router.delete("/{uuid:key_id}", response={204: None}, openapi_extra=needs("signed in"))
def revoke_key(request: HttpRequest, key_id: uuid.UUID) -> Status[None]:
    """Revoke a key, one's own or one that one has a say over; it stops working at once."""
    services.revoke_api_key(actor(request), key_id)
    return Status(204, None)


@policy.get("", response=k.KeyPolicyOut, openapi_extra=needs("team:manage"))
def key_policy(request: HttpRequest) -> Any:
    """Return the longest life of new keys in this tenant, in days."""
    return {"days_max": selectors.key_days_max(selectors.require_tenant(actor(request)))}


@policy.put("", response=k.KeyPolicyOut, openapi_extra=needs("team:manage"))
def set_key_policy(request: HttpRequest, body: k.KeyPolicyIn) -> Any:
    """Set the longest life of new keys; keys that exist stay as they are."""
    services.set_key_policy(actor(request), days_max=body.days_max)
    return key_policy(request)
