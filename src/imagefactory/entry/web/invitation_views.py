"""Invitations as those who manage a team see them: the list, new ones, sending again, cancelling."""

from __future__ import annotations

import re
import uuid
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_http_methods, require_POST

from imagefactory.domain.identity import services
from imagefactory.domain.identity.policies.roles import may_manage_somewhere
from imagefactory.domain.identity.selectors.invitations import InvitationView, get_invitation, list_invitations
from imagefactory.domain.identity.selectors.roles import role_choices
from imagefactory.domain.identity.services.invitations import DEFAULT_DAYS, MAX_AT_ONCE, MAX_MESSAGE
from imagefactory.domain.identity.states import InvitationState
from imagefactory.domain.projects.selectors import projects_by_id
from imagefactory.entry.http.actors import actor_of
from imagefactory.entry.http.people import project_ids, shows_links
from imagefactory.entry.web import people_rows, show
from imagefactory.entry.web.forms import Form, typed
from imagefactory.entry.web.people_views import frame
from imagefactory.kernel import env
from imagefactory.kernel.actor import Actor
from imagefactory.kernel.authorize import authorize
from imagefactory.kernel.errors import RateLimited, ValidationFailed

DAYS = tuple((str(n), f"{n} day{'s' if n > 1 else ''}") for n in (1, 3, 7, 14, 30))
STATES = (("open", "Open"), ("expired", "Expired"), ("accepted", "Accepted"), ("cancelled", "Cancelled"))
_LABELS = {
    InvitationState.PENDING: "Waiting", InvitationState.EXPIRED: "Expired", InvitationState.ACCEPTED: "Accepted",
    InvitationState.CANCELLED: "Cancelled",
}  # fmt: skip


def _rows(actor: Actor, found: list[InvitationView]) -> list[dict[str, Any]]:
    wanted = {p for i in found for p in i.projects}
    projects = projects_by_id(actor, wanted) if wanted else {}
    return [
        {"i": i, "role": people_rows.role_name(i.role), "state": _LABELS[InvitationState(i.state)],
         "projects": ", ".join(sorted(projects[p].name for p in i.projects if p in projects))}
        for i in found
    ]  # fmt: skip


def _list(request: HttpRequest, actor: Actor, made: list[services.Sent]) -> HttpResponse:
    state, search = request.GET.get("state", "open")[:20], request.GET.get("q", "")[:100].replace("\0", "")
    after = request.GET.get("after", "")
    cursor = uuid.UUID(after) if re.fullmatch("[0-9a-f-]{36}", after) else None
    found, following = list_invitations(actor, state=state, search=search, after=cursor)
    links = [(s.invitation.email, f"{env.get().public_url}{s.path}") for s in made] if shows_links() else []
    page = frame(
        actor, "invitations", rows=_rows(actor, found), state=state, states=STATES, search=search, after=following,
        links=links, mails=not shows_links(),
    )  # fmt: skip
    return show.page(request, "invitations.html", page)


@require_http_methods(["GET"])
def invitations(request: HttpRequest, tenant: str) -> HttpResponse:
    actor = actor_of(request, tenant)
    authorize(may_manage_somewhere(actor))
    return _list(request, actor, [])


@require_http_methods(["GET", "POST"])
def invite(request: HttpRequest, tenant: str) -> HttpResponse:
    """Invite one or many; without mail, the answer shows the links, this once."""
    actor = actor_of(request, tenant)
    authorize(may_manage_somewhere(actor))
    form, status = Form({"days": str(DEFAULT_DAYS), "role": "member"}), 200
    chosen = request.POST.getlist("projects")
    if request.method == "POST":
        form = Form(typed(request.POST, "addresses", "role", "message", "days"))
        try:
            days = int(form.value("days")) if re.fullmatch("[0-9]{1,3}", form.value("days")) else 0
            sent = services.invite(
                actor, addresses=form.value("addresses"), role=form.value("role"),
                projects=project_ids(actor, chosen), message=form.value("message"), days=days, show_links=shows_links(),
            )  # fmt: skip
            count = len(sent)
            done = "made" if shows_links() else "sent"
            to = f" to {sent[0].invitation.email}" if count == 1 else ""
            messages.success(request, f"{count} invitation{'s' if count != 1 else ''} {done}{to}.")
            # The links are in this answer and nowhere else; with mail there is nothing to show.
            return _list(request, actor, sent) if shows_links() else redirect(f"/t/{tenant}/people/invitations")
        except ValidationFailed as error:
            form, status = Form(form.values, error.fields), 422
        except RateLimited as error:
            form, status = Form(form.values, {"addresses": [error.message]}), 429
    managed = people_rows.managed_projects(actor)
    roles = people_rows.invitable(actor, role_choices(actor), managed)
    page = frame(
        actor, "invitations", roles=[(r, people_rows.role_name(r), people_rows.meaning(r)) for r in roles],
        projects=[(p, p.slug in chosen or len(managed) == 1) for p in managed], days=DAYS, mails=not shows_links(),
        most=MAX_AT_ONCE, longest=MAX_MESSAGE,
    ) | {"form": form}  # fmt: skip
    return show.page(request, "invite_people.html", page, status=status)


@require_POST
def resend(request: HttpRequest, tenant: str, invitation_id: uuid.UUID) -> HttpResponse:
    actor = actor_of(request, tenant)
    sent = services.resend_invitation(actor, invitation_id, show_links=shows_links())
    messages.success(request, f"The invitation of {sent.invitation.email} has a new link. Older links stopped working.")
    return _list(request, actor, [sent]) if shows_links() else redirect(f"/t/{tenant}/people/invitations")


@require_http_methods(["GET", "POST"])
def cancel(request: HttpRequest, tenant: str, invitation_id: uuid.UUID) -> HttpResponse:
    """Say what cancelling does, and do it when that page is sent."""
    actor = actor_of(request, tenant)
    found = get_invitation(actor, invitation_id)
    if request.method == "POST":
        services.cancel_invitation(actor, invitation_id)
        messages.success(request, f"The invitation of {found.email} is cancelled. Its link stopped working.")
        return redirect(f"/t/{tenant}/people/invitations")
    return show.page(request, "invitation_cancel.html", frame(actor, "invitations", i=found))
