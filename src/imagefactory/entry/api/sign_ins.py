"""One's own sign-in: password, e-mail address, second factors, open sign-ins and their history."""

from __future__ import annotations

import uuid
from typing import Any

from django.http import HttpRequest
from ninja import Router, Status

from imagefactory.domain.identity import selectors, services
from imagefactory.entry.api import sign_in_schemas as s
from imagefactory.entry.api.security import BearerOrSession, actor, needs
from imagefactory.entry.http.actors import anonymous

router = Router(tags=["auth"])
UNFINISHED = BearerOrSession(unfinished=True)
_SIGNED_IN, _NONE = needs("signed in"), needs("none")


@router.post("/recover", response={202: s.NoticeOut}, auth=None, openapi_extra=_NONE)
def recover(request: HttpRequest, body: s.EmailIn) -> Status[Any]:
    """Send a link to set a new password; the answer is the same whether there is such an account or not."""
    services.ask_reset(anonymous(request), body.email)
    return Status(202, {"message": "If there is an account with this address, a link was sent to it."})


@router.post("/reset", response={204: None}, auth=None, openapi_extra=_NONE)
def reset(request: HttpRequest, body: s.ResetIn) -> Status[None]:
    """Set a new password with the token of a link, once; every sign-in of the account ends."""
    services.reset_password(anonymous(request), body.token, body.password)
    return Status(204, None)


@router.post("/email/confirm", response={204: None}, auth=None, openapi_extra=_NONE)
def confirm_email(request: HttpRequest, body: s.TokenIn) -> Status[None]:
    """Confirm the e-mail address of a new account with the token of a link, once."""
    services.confirm_email(anonymous(request), body.token)
    return Status(204, None)


@router.post("/password", response={204: None}, auth=UNFINISHED, openapi_extra=_SIGNED_IN)
def change_password(request: HttpRequest, body: s.PasswordIn) -> Status[None]:
    """Change one's password; all other sign-ins end, and this one too when it is one of a program."""
    services.change_password(actor(request), old=body.old_password, new=body.new_password)
    return Status(204, None)


@router.post("/email", response={200: s.NoticeOut, 202: s.NoticeOut}, openapi_extra=_SIGNED_IN)
def change_email(request: HttpRequest, body: s.NewEmailIn) -> Status[Any]:
    """Change one's e-mail address; 202 where a link to the new one has to be opened first."""
    services.prove_again(actor(request), body.password)
    if services.change_email(actor(request), body.email):
        return Status(202, {"message": "A link was sent to the new address. Open it to make the change."})
    return Status(200, {"message": "The address is changed."})


@router.put("/profile", response={204: None}, openapi_extra=_SIGNED_IN)
def update_profile(request: HttpRequest, body: s.ProfileIn) -> Status[None]:
    """Change one's own name and time zone."""
    services.update_profile(actor(request), name=body.name, time_zone=body.time_zone)
    return Status(204, None)


@router.get("/sessions", response=s.SessionsOut, openapi_extra=_SIGNED_IN)
def list_sessions(request: HttpRequest) -> Any:
    """Return one's own open sign-ins, in browsers and through the API."""
    return {"items": selectors.sessions_of(services.as_person(actor(request)))}


@router.delete("/sessions", response={204: None}, openapi_extra=_SIGNED_IN)
def end_other_sessions(request: HttpRequest) -> Status[None]:
    """End all of one's own sign-ins but the one that asks."""
    services.end_other_sessions(actor(request))
    return Status(204, None)


@router.delete("/sessions/{uuid:session_id}", response={204: None}, openapi_extra=_SIGNED_IN)
def end_session(request: HttpRequest, session_id: uuid.UUID) -> Status[None]:
    """End one of one's own sign-ins; it stops working at once."""
    services.end_session(actor(request), session_id)
    return Status(204, None)


@router.get("/history", response=s.SignInsOut, openapi_extra=_SIGNED_IN)
def history(request: HttpRequest) -> Any:
    """Return the attempts to sign in to one's own account in the last 90 days, refused ones too."""
    return {"items": selectors.sign_in_history(services.as_person(actor(request)))}


@router.get("/second-factors", response=s.FactorsOut, openapi_extra=_SIGNED_IN)
def second_factors(request: HttpRequest) -> Any:
    """Return one's own second factors; security keys are added in a browser."""
    return selectors.second_factors(services.as_person(actor(request)))


@router.post("/second-factors/app", response=s.AppSetupOut, openapi_extra=_SIGNED_IN)
def begin_app(request: HttpRequest) -> Any:
    """Return the key of a new authenticator app; it counts once its first code is sent to `.../app/confirm`."""
    return services.begin_app(actor(request))


@router.post("/second-factors/app/confirm", response=s.CodesOut, openapi_extra=_SIGNED_IN)
def confirm_app(request: HttpRequest, body: s.AppIn) -> Any:
    """Add the authenticator app that shows this code."""
    services.prove_again(actor(request), body.password)
    return {"recovery_codes": services.confirm_app(actor(request), setup=body.setup, code=body.code)}


@router.post("/second-factors/recovery-codes", response=s.CodesOut, openapi_extra=_SIGNED_IN)
def new_recovery_codes(request: HttpRequest, body: s.ProvenIn) -> Any:
    """Return ten new recovery codes; the old ones stop working."""
    services.prove_again(actor(request), body.password)
    return {"recovery_codes": services.new_recovery_codes(actor(request))}


@router.post("/second-factors/{int:factor_id}/remove", response={204: None}, openapi_extra=_SIGNED_IN)
def remove_factor(request: HttpRequest, factor_id: int, body: s.ProvenIn) -> Status[None]:
    """Remove an authenticator app or a security key."""
    services.prove_again(actor(request), body.password)
    services.remove_factor(actor(request), factor_id)
    return Status(204, None)


@router.put("/second-factor-policy", response={204: None}, openapi_extra=needs("settings:edit"))
def require_second_factor(request: HttpRequest, body: s.PolicyIn) -> Status[None]:
    """Open the tenant only to people with a second factor, or to all its members; API keys are not asked for one."""
    services.require_second_factor(actor(request), required=body.required)
    return Status(204, None)
