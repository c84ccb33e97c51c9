"""Sign up, sign in, sign out, and who am I."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from ninja import Router, Status

from imagefactory.domain.identity import selectors, services
from imagefactory.domain.identity.permissions import Permission
from imagefactory.entry.api import sign_in_schemas as s
from imagefactory.entry.api.security import BearerOrSession, actor, needs
from imagefactory.entry.http.actors import anonymous

router = Router(tags=["auth"])


def tokens_out(t: services.Tokens) -> dict[str, Any]:
    """Return an API session's tokens as they are sent, this once."""
    return {
        "access_token": t.access,
        "expires_in": t.access_expires_in,
        "refresh_token": t.refresh,
        "refresh_expires_in": t.refresh_expires_in,
    }


@router.post("/signup", response={201: s.TokensOut, 202: s.NoticeOut}, auth=None, openapi_extra=needs("none"))
def sign_up(request: HttpRequest, body: s.SignUpIn) -> Status[Any]:
    """Create a person and their tenant, and sign them in; 202 where the e-mail address has to be confirmed first."""
    who = anonymous(request)
    made = services.sign_up(who, **body.dict())
    if made.pending:
        return Status(202, {"message": "A link was sent to this e-mail address. Open it, then sign in."})
    return Status(201, tokens_out(services.open_session(who, made.user_id)))


@router.post("/login", response=s.TokensOut, auth=None, openapi_extra=needs("none"))
def login(request: HttpRequest, body: s.LoginIn) -> Any:
    """Sign in with e-mail address and password.

    An account with a second factor gets 401 `second_factor_required` and no tokens: send its code with `details.challenge` to
    `POST /auth/login/verify` within 10 minutes.
    """
    who = anonymous(request)
    return tokens_out(services.sign_in_to_api(who, email=body.email, password=body.password))


@router.post("/login/verify", response=s.TokensOut, auth=None, openapi_extra=needs("none"))
def verify(request: HttpRequest, body: s.VerifyIn) -> Any:
    """Finish a sign-in whose password was right with the code of an authenticator app, or a recovery code."""
    return tokens_out(services.answer_challenge(anonymous(request), challenge=body.challenge, code=body.code))


@router.post("/refresh", response=s.TokensOut, auth=None, openapi_extra=needs("none"))
def refresh(request: HttpRequest, body: s.RefreshIn) -> Any:
    """Exchange a refresh token, once, for new tokens."""
    return tokens_out(services.refresh_session(anonymous(request), body.refresh_token))


@router.post("/logout", response={204: None}, auth=BearerOrSession(unfinished=True), openapi_extra=needs("signed in"))
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
    tenants = selectors.tenants_open_to(a) if a.user_id else []
    if a.key_id is not None:
        tenants = [t for t in tenants if t.id == a.tenant_id]
    return {
        "id": a.subject_id,
        "name": a.name,
        "email": a.email,
        "kind": a.kind,
        "tenant": a.tenant_slug,
        "role": a.role,
        "permissions": sorted(p for p in Permission if p in held),
        "capabilities": sorted(a.capabilities),
        "tenants": tenants,
    }
