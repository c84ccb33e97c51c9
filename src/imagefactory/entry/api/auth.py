"""Sign up, sign in, sign out, who am I, and API keys."""

from __future__ import annotations

import uuid
from typing import Any

from django.http import HttpRequest
from ninja import Router, Status

from imagefactory.domain.identity import selectors, services
from imagefactory.domain.identity.permissions import Permission
from imagefactory.entry.api import schemas as s
from imagefactory.entry.api.security import actor, needs
from imagefactory.entry.http.actors import anonymous

router = Router(tags=["auth"])
keys = Router(tags=["api-keys"])


def tokens_out(t: services.Tokens) -> dict[str, Any]:
    """Return an API session's tokens as they are sent, this once."""
    return {
        "access_token": t.access,
        "expires_in": t.access_expires_in,
        "refresh_token": t.refresh,
        "refresh_expires_in": t.refresh_expires_in,
    }


@router.post("/signup", response={201: s.TokensOut}, auth=None, openapi_extra=needs("none"))
def sign_up(request: HttpRequest, body: s.SignUpIn) -> Status[Any]:
    """Create a person and their tenant, and sign them in."""
    who = anonymous(request)
    made = services.sign_up(who, **body.dict())
    return Status(201, tokens_out(services.open_session(who, made.user_id)))


@router.post("/login", response=s.TokensOut, auth=None, openapi_extra=needs("none"))
def login(request: HttpRequest, body: s.LoginIn) -> Any:
    """Sign in with e-mail address and password."""
    who = anonymous(request)
    user_id = services.verify_password(who, email=body.email, password=body.password)
    return tokens_out(services.open_session(who, user_id))


@router.post("/refresh", response=s.TokensOut, auth=None, openapi_extra=needs("none"))
def refresh(request: HttpRequest, body: s.RefreshIn) -> Any:
    """Exchange a refresh token, once, for new tokens."""
    return tokens_out(services.refresh_session(anonymous(request), body.refresh_token))


@router.post("/logout", response={204: None}, openapi_extra=needs("signed in"))
def logout(request: HttpRequest) -> Status[None]:
    """End this API session; both of its tokens stop working at once."""
    token = request.headers.get("Authorization", "").partition(" ")[2].strip()
    services.close_session(actor(request), token)
    return Status(204, None)


@router.get("/me", response=s.MeOut, openapi_extra=needs("signed in"))
def me(request: HttpRequest) -> Any:
    """Return who is asking and what they may do in this tenant."""
    a = actor(request)
    held = (
        set(a.tenant_permissions).union(*a.project_permissions.values())
        if a.project_permissions
        else set(a.tenant_permissions)
    )
    tenants = selectors.tenants_of(a.user_id) if a.user_id else []
    if a.key_id is not None:
        tenants = [t for t in tenants if t.id == a.tenant_id]
    return {
        "id": a.user_id,
        "name": a.name,
        "email": a.email,
        "kind": a.kind,
        "tenant": a.tenant_slug,
        "role": a.role,
        "permissions": sorted(p for p in Permission if p in held),
        "capabilities": sorted(a.capabilities),
        "tenants": tenants,
    }


@keys.get("", response=s.KeysOut, openapi_extra=needs("signed in"))
def list_keys(request: HttpRequest) -> Any:
    """Return one's own keys in this tenant."""
    a = actor(request)
    selectors.require_tenant(a)
    return {"items": selectors.keys_of(a)}


@keys.post("", response={201: s.NewKeyOut}, openapi_extra=needs("signed in"))
def create_key(request: HttpRequest, body: s.KeyIn) -> Status[Any]:
    """Make a key; its text is shown this once."""
    key, text = services.create_api_key(actor(request), name=body.name, scopes=body.scopes, days=body.days)
    return Status(201, {"id": key.id, "name": key.name, "key": text, "expires_at": key.expires_at})


@keys.delete("/{uuid:key_id}", response={204: None}, openapi_extra=needs("signed in"))
def revoke_key(request: HttpRequest, key_id: uuid.UUID) -> Status[None]:
    """Revoke a key; it stops working at once."""
    services.revoke_api_key(actor(request), key_id)
    return Status(204, None)
