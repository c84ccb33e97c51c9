"""Invitations: made, sent again, cancelled by those who manage a team; looked at and accepted by the one invited."""

from __future__ import annotations

import contextlib
import uuid
from typing import Any

from django.http import HttpRequest
from ninja import Router, Status

from imagefactory.domain.identity import services
from imagefactory.domain.identity.selectors.invitations import (
    InvitationView,
    get_invitation,
    list_invitations,
    offer_of,
)
from imagefactory.domain.projects.selectors import projects_by_id
from imagefactory.entry.api import schemas as s
from imagefactory.entry.api import team_schemas as t
from imagefactory.entry.api.auth import tokens_out
from imagefactory.entry.api.security import actor, needs
from imagefactory.entry.api.sign_in_schemas import TokensOut
from imagefactory.entry.http.actors import anonymous
from imagefactory.entry.http.people import project_ids, shows_links
from imagefactory.kernel import env
from imagefactory.kernel.actor import Actor

router = Router(tags=["invitations"])


def _out(a: Actor, found: list[InvitationView]) -> list[dict[str, Any]]:
    wanted = {p for i in found for p in i.projects}
    projects = projects_by_id(a, wanted) if wanted else {}
    return [
        {
            "id": i.id, "email": i.email, "role": i.role.name, "role_id": i.role.custom_id, "message": i.message,
            "projects": sorted(projects[p].slug for p in i.projects if p in projects), "state": i.state,
            "void_because": i.void_because, "invited_by": i.invited_by, "sent_at": i.sent_at, "expires_at": i.expires_at,
        }
        for i in found
    ]  # fmt: skip


def _sent(a: Actor, sent: list[services.Sent]) -> list[dict[str, Any]]:
    shown = shows_links()
    rows = _out(a, [each.invitation for each in sent])
    links = [f"{env.get().public_url}{each.path}" if shown else None for each in sent]
    return [row | {"link": link} for row, link in zip(rows, links, strict=True)]


@router.get("", response=t.InvitationsOut, openapi_extra=needs("team:manage"))
def list_all(
    request: HttpRequest, state: s.Text = "", search: s.Text = "", cursor: s.Text = "", limit: int = 50
) -> Any:
    """Return invitations, newest first; `state` is pending, expired, accepted or cancelled."""
    a, after = actor(request), None
    with contextlib.suppress(ValueError):
        after = uuid.UUID(cursor) if cursor else None
    found, following = list_invitations(a, state=state[:20], search=search, after=after, limit=max(1, min(limit, 200)))
    return {"items": _out(a, found), "next_cursor": str(following or "")}


@router.post("", response={201: t.SentsOut}, openapi_extra=needs("team:manage"))
def create(request: HttpRequest, body: t.InviteIn) -> Status[Any]:
    """Invite people by address: all of them, or nobody when there is a problem with one. At most 50 at once."""
    a = actor(request)
    sent = services.invite(
        a, addresses="\n".join(body.emails), role=body.role, projects=project_ids(a, body.projects),
        message=body.message, days=body.days, show_links=shows_links(),
    )  # fmt: skip
    return Status(201, {"items": _sent(a, sent)})


@router.post("/look", response=t.OfferOut, auth=None, openapi_extra=needs("none"))
def look(request: HttpRequest, body: t.TokenIn) -> Any:
    """Say what a link offers, to whoever holds it."""
    offer = offer_of(body.token)
    return {
        "email": offer.email, "tenant": offer.tenant_slug, "tenant_name": offer.tenant_name, "inviter": offer.inviter,
        "role": offer.role.name, "permissions": sorted(offer.role.permissions), "message": offer.message,
        "expires_at": offer.expires_at, "why_not": offer.why,
    }  # fmt: skip


@router.post("/accept", response=t.JoinedOut, openapi_extra=needs("signed in"))
def accept(request: HttpRequest, body: t.TokenIn) -> Any:
    """Accept an invitation as the signed-in person, whose address must be the invited one."""
    joined = services.accept_invitation(actor(request), body.token)
    return {"user_id": joined.user_id, "tenant": joined.tenant_slug}


@router.post("/join", response={201: TokensOut}, auth=None, openapi_extra=needs("none"))
def join(request: HttpRequest, body: t.JoinIn) -> Status[Any]:
    """Accept an invitation by making an account for its address, and sign in."""
    who = anonymous(request)
    joined = services.accept_with_new_account(
        who, body.token, name=body.name, password=body.password, time_zone=body.time_zone
    )
    return Status(201, tokens_out(services.open_session(who, joined.user_id)))


@router.post("/ask-again", response={204: None}, auth=None, openapi_extra=needs("none"))
def ask_again(request: HttpRequest, body: t.TokenIn) -> Status[None]:
    """Tell the inviter that a link does not work any more; once a day."""
    services.ask_again(anonymous(request), body.token)
    return Status(204, None)


@router.get("/{uuid:invitation_id}", response=t.InvitationOut, openapi_extra=needs("team:manage"))
def get(request: HttpRequest, invitation_id: uuid.UUID) -> Any:
    """Return one invitation."""
    a = actor(request)
    return _out(a, [get_invitation(a, invitation_id)])[0]


@router.post("/{uuid:invitation_id}/resend", response=t.SentOut, openapi_extra=needs("team:manage"))
def resend(request: HttpRequest, invitation_id: uuid.UUID) -> Any:
    """Send an invitation again with a new link; older links stop working."""
    a = actor(request)
    return _sent(a, [services.resend_invitation(a, invitation_id, show_links=shows_links())])[0]


@router.delete("/{uuid:invitation_id}", response={204: None}, openapi_extra=needs("team:manage"))
def cancel(request: HttpRequest, invitation_id: uuid.UUID) -> Status[None]:
    """Cancel an invitation; its link stops working at once."""
    services.cancel_invitation(actor(request), invitation_id)
    return Status(204, None)
