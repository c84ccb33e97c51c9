"""Invitations as those who manage a team make, repeat and cancel them."""

from __future__ import annotations

import dataclasses
import datetime as dt
import re
import uuid
from collections.abc import Collection, Sequence

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import IntegrityError, transaction
from django.db.models import F
from django.db.models.functions import Lower

from imagefactory.domain.identity import events
from imagefactory.domain.identity.errors import InvitationNotFound
from imagefactory.domain.identity.models import Invitation
from imagefactory.domain.identity.policies.roles import RoleChoice, may_grant, may_manage_somewhere
from imagefactory.domain.identity.selectors import require_tenant
from imagefactory.domain.identity.selectors.invitations import (
    PURPOSE,
    InvitationView,
    already_there,
    same_address,
    view_invitation,
    visible_invitations,
    why_ended,
)
from imagefactory.domain.identity.selectors.roles import choice_of, find_role
from imagefactory.domain.identity.services.team_lock import lock_for
from imagefactory.domain.identity.states import InvitationState
from imagefactory.kernel.actor import Actor
from imagefactory.kernel.authorize import authorize
from imagefactory.kernel.clock import now
from imagefactory.kernel.errors import Conflict, InvalidTransition, ValidationFailed
from imagefactory.kernel.outbox.emit import emit
from imagefactory.kernel.secrets import signed_token
from imagefactory.kernel.throttle.check import count_attempt

MAX_AT_ONCE = 50
MAX_OPEN = 200  # invitations of one tenant that wait at a time
MAX_PROJECTS = 100
MAX_MESSAGE = 500  # characters
MAX_DAYS = 30
DEFAULT_DAYS = 7


@dataclasses.dataclass(frozen=True)
class Sent:
    """An invitation that was made or sent again. `path` is its secret link, for those without mail; it is not kept."""

    invitation: InvitationView
    path: str = dataclasses.field(repr=False)


def link_of(invitation_id: uuid.UUID, version: int) -> str:
    """Return the path of an invitation's link, made anew; for the letter and for who made it without mail."""
    return f"/invite/{signed_token(PURPOSE, invitation_id, version)}"


def split_addresses(text: str) -> list[str]:
    """Return the addresses of a text, one per line or with commas between them, each once whatever its case."""
    found: list[str] = []
    for piece in re.split(r"[\n,;]+", text[:20_000]):
        address = piece.strip()
        if address and not any(same_address(address, other) for other in found[: MAX_AT_ONCE + 1]):
            found.append(address)
    return found


def _plain(message: str) -> str:
    return "".join(c for c in message.strip().replace("\r\n", "\n") if c == "\n" or c.isprintable())


def _address_errors(addresses: Sequence[str]) -> list[str]:
    if not addresses:
        return ["Give at least one e-mail address, one per line."]
    if len(addresses) > MAX_AT_ONCE:
        return [f"These are more than {MAX_AT_ONCE} addresses, the most at once. Send the others afterwards."]
    wrong = []
    for address in addresses:
        try:
            validate_email(address[:255])  # one character more than may be, so that a longer one is refused
        except ValidationError:
            wrong.append(f"{address[:80]} is not an e-mail address. It looks like name@example.com.")
    return wrong


def _known_errors(tenant_id: uuid.UUID, addresses: Collection[str]) -> list[str]:
    """Return what is wrong with addresses that belong to a member, or were invited already."""
    lower = {a.lower(): a for a in addresses}
    members = already_there(tenant_id, lower)
    wrong = [f"{lower[a]} is in the team already: {name}." for a, name in members.items()]
    rows = Invitation.objects.filter(tenant_id=tenant_id, state=InvitationState.PENDING).annotate(lower=Lower("email"))
    for row in rows.filter(lower__in=list(lower)):
        if why_ended(row) == InvitationState.EXPIRED or row.void_because:
            continue
        if row.email.lower() not in members:
            wrong.append(f"{row.email} has an open invitation. Send it again from the list, or cancel it first.")
    return wrong


def _request_errors(
    tenant_id: uuid.UUID, role: RoleChoice | None, projects: Sequence[uuid.UUID], message: str, days: int
) -> dict[str, list[str]]:
    wrong: dict[str, list[str]] = {}
    if role is None:
        wrong["role"] = ["There is no such role in this team. Choose one from the list."]
    elif not role.tenant_wide and not projects:
        wrong["projects"] = [
            f"Choose at least one project; the role {role.name.capitalize() if role.builtin else role.name} is held in projects."
        ]
    if len(projects) > MAX_PROJECTS:
        wrong["projects"] = [f"These are more than {MAX_PROJECTS} projects, the most at once."]
    if len(message) > MAX_MESSAGE:
        wrong["message"] = [f"The message is longer than {MAX_MESSAGE} characters."]
    if not 1 <= days <= MAX_DAYS:
        wrong["days"] = [f"An invitation holds 1 to {MAX_DAYS} days."]
    return wrong


def invite(
    actor: Actor, *, addresses: str, role: str, projects: Sequence[uuid.UUID] = (), message: str = "",
    days: int = DEFAULT_DAYS, show_links: bool = False,
) -> list[Sent]:  # fmt: skip
    """Invite people by address, all of them or nobody. The caller has looked the projects up as the actor.

    `role` is the key of a role; `show_links` says that the caller shows the links, for lack of mail. Raises PermissionDenied
    for a role wider than the actor's own rights, RateLimited (60 an hour by one person), ValidationFailed with every problem
    of every address at once.
    """
    authorize(may_manage_somewhere(actor))
    count_attempt("invite people", f"{actor.tenant}\0{actor.person}", limit=60, window_seconds=3600)
    found, message, wanted = split_addresses(addresses), _plain(message), list(dict.fromkeys(projects))
    with transaction.atomic():
        fresh = lock_for(actor)
        tenant_id = require_tenant(fresh)
        choice = find_role(tenant_id, role, lock=True)
        wrong = _request_errors(tenant_id, choice, wanted, message, days)
        about = _address_errors(found)
        if len(found) <= MAX_AT_ONCE:
            about += _known_errors(tenant_id, found)
        waiting = Invitation.objects.filter(tenant_id=tenant_id, state=InvitationState.PENDING, expires_at__gt=now())
        if not about and (most := waiting.count()) + len(found) > MAX_OPEN:
            about = [f"{most} invitations wait already, and {MAX_OPEN} are the most. Cancel some of them first."]
        if about:
            wrong = {"addresses": about, **wrong}
        if wrong or choice is None:
            raise ValidationFailed(wrong)
        places = [] if choice.tenant_wide else wanted
        authorize(may_grant(fresh, choice, places))
        rows = _write(fresh, tenant_id, found, choice, places, message, days, shown=show_links)
    return [Sent(view_invitation(row), link_of(row.id, row.version)) for row in rows]


def _write(
    actor: Actor, tenant_id: uuid.UUID, addresses: Sequence[str], role: RoleChoice, projects: list[uuid.UUID],
    message: str, days: int, *, shown: bool,
) -> list[Invitation]:  # fmt: skip
    moment = now()
    # Those whose time is over make place: one address has one invitation that waits.
    Invitation.objects.annotate(lower=Lower("email")).filter(
        tenant_id=tenant_id, state=InvitationState.PENDING, lower__in=[a.lower() for a in addresses]
    ).update(state=InvitationState.EXPIRED, ended_at=moment)
    rows = Invitation.objects.bulk_create(
        Invitation(
            tenant_id=tenant_id, email=address, invited_by_id=actor.user_id, projects=projects, message=message,
            sent_at=moment, expires_at=moment + dt.timedelta(days=days), link_was_shown=shown, **role.columns,
        )
        for address in addresses
    )  # fmt: skip
    places = [str(p) for p in projects]
    emit(
        actor,
        *(
            events.InvitationCreated(tenant_id, r.id, r.email, role.name, r.version, places, r.expires_at.isoformat())
            for r in rows
        ),
    )
    ids = [r.id for r in rows]
    again = Invitation.objects.filter(id__in=ids).select_related("custom_role", "invited_by")
    return sorted(again, key=lambda row: ids.index(row.id))


def _find(actor: Actor, invitation_id: uuid.UUID) -> Invitation:
    row = visible_invitations(actor).filter(id=invitation_id).first()
    if row is None:
        raise InvitationNotFound
    return row


def resend_invitation(actor: Actor, invitation_id: uuid.UUID, *, show_links: bool = False) -> Sent:
    """Send an invitation again, with a new link and as many days as at first; older links stop working.

    Whoever sends it answers for it from now on. Raises InvitationNotFound, PermissionDenied, RateLimited (once a minute, 10
    a day), InvalidTransition for one that is over, Conflict.
    """
    _find(actor, invitation_id)
    count_attempt("send this invitation again", str(invitation_id), limit=1, window_seconds=60)
    count_attempt("send this invitation again today", str(invitation_id), limit=10, window_seconds=86_400)
    with transaction.atomic():
        fresh = lock_for(actor)
        row = _find(fresh, invitation_id)
        role = choice_of(row.role, row.custom_role)
        if row.state not in {InvitationState.PENDING, InvitationState.EXPIRED}:
            raise InvalidTransition(f"This invitation was {row.state}. Make a new one.", state=row.state)
        if row.void_because:
            raise Conflict(f"{row.void_because} Make a new invitation.")
        authorize(may_grant(fresh, role, row.projects))
        moment = now()
        mine = Invitation.objects.filter(id=row.id, version=row.version, state=row.state)
        try:
            with transaction.atomic():
                changed = mine.update(
                    version=F("version") + 1, state=InvitationState.PENDING, sent_at=moment, ended_at=None,
                    expires_at=moment + (row.expires_at - row.sent_at), invited_by_id=fresh.user_id, updated_at=moment,
                    link_was_shown=row.link_was_shown or show_links,
                )  # fmt: skip
        except IntegrityError:
            raise Conflict(f"{row.email} has a newer invitation. Send that one again.") from None
        if not changed:
            raise Conflict("This invitation changed just now. Look at the list again.")
        after = _find(fresh, row.id)
        emit(
            fresh,
            events.InvitationResent(
                row.tenant_id, row.id, row.email, role.name, after.version, after.expires_at.isoformat()
            ),
        )
    return Sent(view_invitation(after), link_of(after.id, after.version))


def cancel_invitation(actor: Actor, invitation_id: uuid.UUID) -> None:
    """Cancel an invitation; its link stops working at once. Safe to repeat.

    Raises InvitationNotFound, also for one that the actor may not manage; InvalidTransition for one that was accepted.
    """
    with transaction.atomic():
        fresh = lock_for(actor)
        row = _find(fresh, invitation_id)
        if row.state == InvitationState.CANCELLED:
            return
        open_ones = Invitation.objects.filter(id=row.id, state__in=[InvitationState.PENDING, InvitationState.EXPIRED])
        if not open_ones.update(state=InvitationState.CANCELLED, ended_at=now()):
            raise InvalidTransition("This invitation was accepted. Remove the member instead.", state=row.state)
        role = choice_of(row.role, row.custom_role)
        emit(fresh, events.InvitationCancelled(row.tenant_id, row.id, row.email, role.name, row.version))
