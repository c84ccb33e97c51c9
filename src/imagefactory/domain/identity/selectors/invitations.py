"""Invitations: as the people of a tenant see them, and as the one who holds a link does."""

from __future__ import annotations

import dataclasses
import datetime as dt
import uuid
from collections.abc import Collection

from django.db.models import Q, QuerySet

from imagefactory.domain.identity.errors import InvitationNotFound
from imagefactory.domain.identity.models import Invitation
from imagefactory.domain.identity.permissions import Permission
from imagefactory.domain.identity.policies.roles import RoleChoice, may_manage_somewhere
from imagefactory.domain.identity.selectors.people import user_with_email
from imagefactory.domain.identity.selectors.roles import choice_of
from imagefactory.domain.identity.selectors.tenants import require_tenant
from imagefactory.domain.identity.states import InvitationState
from imagefactory.kernel.actor import Actor
from imagefactory.kernel.clock import now
from imagefactory.kernel.secrets import row_of_token, token_matches

PURPOSE = "invitation"
_ASCII_LOWER = str.maketrans("ABCDEFGHIJKLMNOPQRSTUVWXYZ", "abcdefghijklmnopqrstuvwxyz")


@dataclasses.dataclass(frozen=True)
class InvitationView:
    """An invitation as those who manage the team see it. `state` is what holds now: also expired by the clock."""

    id: uuid.UUID
    email: str
    role: RoleChoice
    projects: list[uuid.UUID]
    message: str
    state: str
    void_because: str
    invited_by: str
    invited_by_id: uuid.UUID | None
    created_at: dt.datetime
    sent_at: dt.datetime
    expires_at: dt.datetime
    version: int

    @property
    def open(self) -> bool:
        """Whether it can be sent again or cancelled."""
        return self.state in {InvitationState.PENDING, InvitationState.EXPIRED}


@dataclasses.dataclass(frozen=True)
class Offer:
    """An invitation as the one who holds its link sees it. `why` is empty when it can be accepted."""

    id: uuid.UUID
    email: str
    tenant_id: uuid.UUID
    tenant_slug: str
    tenant_name: str
    inviter: str
    role: RoleChoice
    projects: int
    message: str
    expires_at: dt.datetime
    why: str
    void_because: str
    has_account: bool


def same_address(one: str, other: str) -> bool:
    """Whether two addresses are one person's: the case of a-z counts for nothing, and every other letter for itself.

    Not by the rules of Unicode: those take the Kelvin sign for a k, and a look-alike must not pass for someone else.
    """
    return one.translate(_ASCII_LOWER) == other.translate(_ASCII_LOWER)


def why_ended(row: Invitation, moment: dt.datetime | None = None) -> str:
    """Return why an invitation lets nobody in: its state, `void`, or nothing.

    A clock that went back behind the moment of sending does not give the invitation a longer life.
    """
    if row.state != InvitationState.PENDING:
        return str(row.state)
    if max(moment or now(), row.sent_at) >= row.expires_at:
        return str(InvitationState.EXPIRED)
    return "void" if row.void_because else ""


def view_invitation(row: Invitation) -> InvitationView:
    ended = why_ended(row)
    return InvitationView(
        row.id, row.email, choice_of(row.role, row.custom_role), list(row.projects), row.message,
        ended if ended not in {"", "void"} else str(InvitationState.PENDING), row.void_because,
        row.invited_by.name if row.invited_by else "", row.invited_by_id, row.created_at, row.sent_at, row.expires_at,
        row.version,
    )  # fmt: skip


def visible_invitations(actor: Actor) -> QuerySet[Invitation]:
    """Return the tenant's invitations that the actor may manage: all, or those for projects whose team they manage."""
    rows = Invitation.objects.filter(tenant_id=require_tenant(actor)).select_related("custom_role", "invited_by")
    within = actor.projects_with(str(Permission.TEAM_MANAGE))
    if within is None:
        return rows
    return rows.filter(projects__contained_by=list(within)).exclude(projects=[])


def list_invitations(
    actor: Actor, *, state: str = "", search: str = "", after: uuid.UUID | None = None, limit: int = 50
) -> tuple[list[InvitationView], uuid.UUID | None]:
    """Return invitations, newest first, and the cursor of the next page.

    `state` is `open` (pending, not expired), one of InvitationState, or empty for all. Who manages no team finds none.
    """
    rows = visible_invitations(actor)
    pending = Q(state=InvitationState.PENDING)
    if state in {"open", InvitationState.PENDING}:
        rows = rows.filter(pending, expires_at__gt=now())
    elif state == InvitationState.EXPIRED:
        rows = rows.filter(Q(state=state) | pending & Q(expires_at__lte=now()))
    elif state:
        rows = rows.filter(state=state)
    if search := search.strip()[:100]:
        rows = rows.filter(email__icontains=search)
    if after is not None:
        rows = rows.filter(id__lt=after)
    page = list(rows.order_by("-id")[: limit + 1])
    return [view_invitation(r) for r in page[:limit]], page[limit - 1].id if len(page) > limit else None


def count_open_invitations(actor: Actor) -> int:
    """Return how many invitations wait, among those that the actor may manage; for the tab."""
    if may_manage_somewhere(actor) is not True:
        return 0
    return visible_invitations(actor).filter(state=InvitationState.PENDING, expires_at__gt=now()).count()


def get_invitation(actor: Actor, invitation_id: uuid.UUID) -> InvitationView:
    """Return one invitation.

    Raises InvitationNotFound, also for one that the actor may not manage.
    """
    row = visible_invitations(actor).filter(id=invitation_id).first()
    if row is None:
        raise InvitationNotFound
    return view_invitation(row)


def row_of_link(token: str) -> tuple[Invitation, bool]:
    """Return the invitation that a link was made for, and whether a newer link has replaced it.

    Raises InvitationNotFound for anything that was not made here: an invented link reads as one that never was.
    """
    row_id = row_of_token(token[:200])
    row = None
    if row_id is not None:
        rows = Invitation.objects.select_related("tenant", "custom_role", "invited_by")
        row = rows.filter(id=row_id).first()
    if row is None:
        raise InvitationNotFound
    if token_matches(token, PURPOSE, row.id, row.version):
        return row, False
    if any(token_matches(token, PURPOSE, row.id, version) for version in range(1, row.version)):
        return row, True
    raise InvitationNotFound


def offer_of(token: str) -> Offer:
    """Return what a link offers; it says why, when it lets nobody in.

    Raises InvitationNotFound.
    """
    row, replaced = row_of_link(token)
    return Offer(
        row.id, row.email, row.tenant_id, row.tenant.slug, row.tenant.name,
        row.invited_by.name if row.invited_by else "", choice_of(row.role, row.custom_role), len(row.projects),
        row.message, row.expires_at, "replaced" if replaced else why_ended(row), row.void_because,
        user_with_email(row.email) is not None,
    )  # fmt: skip


def already_there(tenant_id: uuid.UUID, addresses: Collection[str]) -> dict[str, str]:
    """Return which of these lower-case addresses belong to members, and the members' names."""
    from django.db.models.functions import Lower

    from imagefactory.domain.identity.models import Membership

    rows = Membership.objects.filter(tenant_id=tenant_id).annotate(lower=Lower("user__email"))
    return dict(rows.filter(lower__in=list(addresses)).values_list("lower", "user__name"))
