"""What messages about a team need to know, whoever is asking: read by reactions, never shown by a door."""

from __future__ import annotations

import dataclasses
import uuid

from imagefactory.domain.identity.models import Invitation, Membership, Tenant
from imagefactory.domain.identity.policies.roles import RoleChoice
from imagefactory.domain.identity.selectors.invitations import PURPOSE, why_ended
from imagefactory.domain.identity.selectors.people import Person, owners_of
from imagefactory.domain.identity.selectors.roles import choice_of
from imagefactory.kernel.secrets import signed_token


@dataclasses.dataclass(frozen=True)
class Team:
    id: uuid.UUID
    slug: str
    name: str


@dataclasses.dataclass(frozen=True)
class Letter:
    """What an invitation's letter says; `path` is its secret link, made for this letter."""

    email: str
    team: Team
    inviter: str
    role: RoleChoice
    message: str
    expires: str
    path: str = dataclasses.field(repr=False)


def team_of(tenant_id: uuid.UUID) -> Team | None:
    found = Tenant.objects.filter(id=tenant_id).first()
    return Team(found.id, found.slug, found.name) if found else None


def letter_of(invitation_id: uuid.UUID, version: int) -> Letter | None:
    """Return the letter for this version of an invitation; None when it is over by now, or was sent again since."""
    rows = Invitation.objects.select_related("tenant", "invited_by", "custom_role")
    row = rows.filter(id=invitation_id, version=version).first()
    if row is None or why_ended(row):
        return None
    team = Team(row.tenant_id, row.tenant.slug, row.tenant.name)
    return Letter(
        row.email, team, row.invited_by.name if row.invited_by else "", choice_of(row.role, row.custom_role), row.message,
        f"{row.expires_at:%-d %B %Y, %H:%M} UTC", f"/invite/{signed_token(PURPOSE, row.id, row.version)}",
    )  # fmt: skip


def member_told(tenant_id: uuid.UUID, user_id: uuid.UUID | None) -> Person | None:
    """Return a person as long as they are in the team."""
    if user_id is None:
        return None
    rows = Membership.objects.filter(tenant_id=tenant_id, user_id=user_id, user__is_active=True).select_related("user")
    row = rows.first()
    return Person(row.user.id, row.user.name, row.user.email) if row else None


def inviter_or_owners(tenant_id: uuid.UUID, user_id: uuid.UUID | None) -> list[Person]:
    """Return who answers for an invitation: the one who sent it, or the owners once they are gone."""
    inviter = member_told(tenant_id, user_id)
    return [inviter] if inviter else owners_of(tenant_id)
