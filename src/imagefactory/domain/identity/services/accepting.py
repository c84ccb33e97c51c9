"""Invitations as the one who was invited takes them: once, and only for their own address."""

from __future__ import annotations

import dataclasses
import uuid
from collections.abc import Callable

from django.db import IntegrityError, transaction

from imagefactory.domain.identity import events
from imagefactory.domain.identity.errors import InvitationEnded
from imagefactory.domain.identity.models import Invitation, Membership, RoleBinding, Tenant, User
from imagefactory.domain.identity.policies import may_act_as_person
from imagefactory.domain.identity.policies.roles import may_grant
from imagefactory.domain.identity.selectors.actor_parts import actor_from
from imagefactory.domain.identity.selectors.invitations import row_of_link, same_address, why_ended
from imagefactory.domain.identity.selectors.people import user_with_email
from imagefactory.domain.identity.selectors.roles import choice_of
from imagefactory.domain.identity.services.checks import password_errors, person_errors
from imagefactory.domain.identity.services.team_lock import lock_team
from imagefactory.domain.identity.states import TENANT_STOPS, InvitationState
from imagefactory.kernel import env
from imagefactory.kernel.actor import Actor, ActorKind
from imagefactory.kernel.authorize import Refusal, authorize
from imagefactory.kernel.clock import now
from imagefactory.kernel.errors import ValidationFailed
from imagefactory.kernel.outbox.emit import emit
from imagefactory.kernel.throttle.check import count_attempt, origin

_Person = Callable[[Invitation], User]
ASK = "Ask the one who invited you for a new one."
SENTENCES = {
    "expired": f"This invitation has expired. {ASK}",
    "cancelled": f"This invitation was cancelled. {ASK}",
    "accepted": "This invitation was used already, and works only once. Sign in to get to the team.",
    "replaced": "This invitation was sent again, and only the newest link works. Look for a newer letter.",
}
AGAIN = frozenset({"expired", "cancelled", "replaced", "void"})  # where asking for a new one makes sense


@dataclasses.dataclass(frozen=True)
class Joined:
    """Who joined which team by an invitation."""

    user_id: uuid.UUID
    tenant_id: uuid.UUID
    tenant_slug: str


def ended(why: str, void_because: str = "") -> InvitationEnded:
    """Return the error for an invitation that lets nobody in, with its sentence."""
    return InvitationEnded(why, SENTENCES.get(why) or f"{void_because} This invitation lets nobody in. {ASK}")


def accept_invitation(actor: Actor, token: str) -> Joined:
    """Join the team as the signed-in person.

    Raises InvitationNotFound, InvitationEnded, PermissionDenied from a key or for a team that is not active.
    """
    authorize(may_act_as_person(actor))
    return _take(actor, token, lambda _row: User.objects.get(id=actor.person))


def accept_with_new_account(actor: Actor, token: str, *, name: str, password: str, time_zone: str = "UTC") -> Joined:
    """Make an account for the address of the invitation, which the link proves, and join the team.

    Raises InvitationNotFound, InvitationEnded, PermissionDenied, RateLimited (30 an hour from one address), ValidationFailed.
    """
    count_attempt("accept an invitation", origin(actor.address), limit=30, window_seconds=3600)

    def make(row: Invitation) -> User:
        wrong = person_errors(name, time_zone)
        if about := password_errors(password, User(email=row.email, name=name)):
            wrong["password"] = about
        if user_with_email(row.email) is not None:
            wrong["name"] = ["There is an account with this e-mail address. Sign in, then open the link again."]
        if wrong:
            raise ValidationFailed(wrong)
        # A link that its maker saw proves nothing about the address.
        proved = not (row.link_was_shown and env.get().confirms_email)
        return User.objects.create_user(
            row.email, password, name=name.strip(), time_zone=time_zone, email_confirmed=proved,
            email_proven=not row.link_was_shown,
        )  # fmt: skip

    try:
        return _take(actor, token, make)
    except IntegrityError:  # the same form, sent twice at once
        raise ended("accepted") from None


def _take(actor: Actor, token: str, person: _Person) -> Joined:
    """Take an invitation for the person that `person` returns. What is found expired is noted, then refused."""
    row, replaced = row_of_link(token)
    if replaced:
        raise ended("replaced")
    with transaction.atomic():
        tenant = lock_team(row.tenant_id)
        row, replaced = row_of_link(token)
        why = "replaced" if replaced else why_ended(row)
        if why == InvitationState.EXPIRED and row.state == InvitationState.PENDING:
            # Kept, so that a clock that is put back cannot open it again.
            Invitation.objects.filter(id=row.id, version=row.version).update(state=why, ended_at=now())
            said = events.InvitationExpired(
                row.tenant_id, row.id, row.email, choice_of(row.role, row.custom_role).name, row.version
            )
            emit(actor, said)
        elif not why:
            _check_inviter(row, tenant)
            return _join(actor, row, tenant, person(row))
    raise ended(why, row.void_because)


def _check_inviter(row: Invitation, tenant: Tenant) -> None:
    """Return when the invitation may still be given by who made it, in a team that is active."""
    if tenant.state in TENANT_STOPS:
        reason, granted_by = TENANT_STOPS[tenant.state]
        authorize(Refusal("team:join", reason, granted_by, code="tenant_suspended"))
    if row.invited_by is None:
        return
    role, inviter = choice_of(row.role, row.custom_role), row.invited_by
    member = Membership.objects.filter(tenant=tenant, user=inviter).exists()
    theirs = actor_from(inviter, tenant, request_id="", address="")
    if not inviter.is_active or not member or may_grant(theirs, role, row.projects) is not True:
        raise ended("void", f"{inviter.name} may not give the role {role.name} there any more.")


def _join(actor: Actor, row: Invitation, tenant: Tenant, user: User) -> Joined:
    if not same_address(user.email, row.email):
        raise InvitationEnded(
            "other_person",
            f"This invitation is for {row.email}, and you are signed in as {user.email}. Sign out, then open the link again.",
        )
    mine = Invitation.objects.filter(id=row.id, version=row.version, state=InvitationState.PENDING)
    if not mine.update(state=InvitationState.ACCEPTED, accepted_by=user, ended_at=now()):
        raise ended("accepted")
    role = choice_of(row.role, row.custom_role)
    Membership.objects.get_or_create(tenant=tenant, user=user, defaults={"invited_by_id": row.invited_by_id})
    for place in [None] if role.tenant_wide else row.projects:
        # What someone has already stays: an invitation adds, and takes nothing away.
        RoleBinding.objects.get_or_create(tenant=tenant, user=user, project_id=place, defaults=role.columns)
    User.objects.filter(id=user.id).update(last_tenant_id=tenant.id)
    author = dataclasses.replace(actor, kind=ActorKind.USER, user_id=user.id, name=user.name, email=user.email)
    emit(
        author,
        events.InvitationAccepted(tenant.id, row.id, row.email, role.name, row.version, user.id, row.invited_by_id),
        events.MemberJoined(tenant.id, user.id, user.email, role.name),
    )
    return Joined(user.id, tenant.id, tenant.slug)


def ask_again(actor: Actor, token: str) -> None:
    """Tell the inviter that a link does not work any more and that a new one is wanted.

    Raises InvitationNotFound, RateLimited (once a day for one invitation), InvitationEnded where it makes no sense.
    """
    row, replaced = row_of_link(token)
    why = "replaced" if replaced else why_ended(row)
    if why not in AGAIN:
        raise InvitationEnded(why or "open", SENTENCES.get(why, "This invitation still works. Open its link."))
    count_attempt("ask for a new invitation", str(row.id), limit=1, window_seconds=86_400)
    role = choice_of(row.role, row.custom_role)
    with transaction.atomic():
        said = events.InvitationAskedAgain(row.tenant_id, row.id, row.email, role.name, row.version, row.invited_by_id)
        emit(actor, said)
