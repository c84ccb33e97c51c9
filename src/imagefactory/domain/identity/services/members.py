"""Members: their roles, their removal, leaving."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Mapping

from django.db import transaction
from django.db.models import Q

from imagefactory.domain.identity import events
from imagefactory.domain.identity.errors import LastOwner, MemberNotFound
from imagefactory.domain.identity.models import (
    AccessRequest,
    ApiKey,
    Invitation,
    Membership,
    ProviderGrant,
    ProviderRole,
    RoleBinding,
    User,
)
from imagefactory.domain.identity.permissions import Permission
from imagefactory.domain.identity.policies import may
from imagefactory.domain.identity.policies.members import may_leave, may_remove
from imagefactory.domain.identity.policies.roles import may_grant, may_manage_somewhere
from imagefactory.domain.identity.selectors import require_tenant
from imagefactory.domain.identity.selectors.members import owners_left, roles_held
from imagefactory.domain.identity.selectors.roles import choice_of, find_role
from imagefactory.domain.identity.services.team_lock import lock_for
from imagefactory.domain.identity.states import AccessRequestState, InvitationState
from imagefactory.kernel.actor import Actor
from imagefactory.kernel.authorize import authorize
from imagefactory.kernel.clock import now
from imagefactory.kernel.errors import ValidationFailed
from imagefactory.kernel.outbox.emit import emit

MAX_REASON = 500  # characters
ACTIVE_EVERY = dt.timedelta(minutes=5)


def set_project_role(actor: Actor, user_id: uuid.UUID, project_id: uuid.UUID, role: str | None) -> None:
    """Give a member a role in one project, or take it away with None. Errors as in `set_roles`."""
    authorize(may(actor, Permission.TEAM_MANAGE, project_id))
    set_roles(actor, user_id, {project_id: role or ""})


def set_roles(actor: Actor, user_id: uuid.UUID, wanted: Mapping[uuid.UUID | None, str]) -> None:
    """Set a member's role in each of these places at once: the key of a role, or empty for none; None is the whole tenant.

    The caller has looked the projects up as the actor. Safe to repeat. Raises PermissionDenied for a role wider than the
    actor's own rights there, given or taken; ValidationFailed; LastOwner.
    """
    authorize(may_manage_somewhere(actor))
    with transaction.atomic():
        change_roles(lock_for(actor), user_id, wanted)


def change_roles(actor: Actor, user_id: uuid.UUID, wanted: Mapping[uuid.UUID | None, str]) -> None:
    """Do the work of `set_roles`; called in a transaction that holds the team, with the actor of `lock_for`."""
    tenant_id = require_tenant(actor)
    if not Membership.objects.filter(tenant_id=tenant_id, user_id=user_id).exists():
        raise ValidationFailed({"role": ["This person is not in the team. Invite them first."]})
    # The tenant's role last: an owner who steps down gives themselves roles in projects while they still may.
    for place, key in sorted(wanted.items(), key=lambda item: item[0] is None):
        _change_role(actor, tenant_id, user_id, place, key)


def _change_role(actor: Actor, tenant_id: uuid.UUID, user_id: uuid.UUID, place: uuid.UUID | None, key: str) -> None:
    authorize(may(actor, Permission.TEAM_MANAGE, place))
    after = find_role(tenant_id, key, lock=True) if key else None
    if (key and after is None) or (after and after.tenant_wide is not (place is None)):
        where = "in the whole team: owner" if place is None else "in a project: admin, member, viewer"
        raise ValidationFailed({"role": [f"Choose a role that is held {where}, or one of the team's own for that."]})
    rows = RoleBinding.objects.filter(tenant_id=tenant_id, user_id=user_id, project_id=place)
    row = rows.select_related("custom_role").first()
    before = choice_of(row.role, row.custom_role) if row else None
    if (before.key if before else "") == (after.key if after else ""):
        return
    for role in (before, after):
        if role is not None:
            authorize(may_grant(actor, role, [place] if place else []))
    if before and before.is_owner and not owners_left(tenant_id, user_id):
        raise LastOwner
    if after is None:
        rows.delete()
    else:
        RoleBinding.objects.update_or_create(
            tenant_id=tenant_id, user_id=user_id, project_id=place, defaults=after.columns
        )
    said = events.MemberRoleSet(tenant_id, user_id, place, before.name if before else "", after.name if after else "")
    emit(actor, said)


def remove_member(actor: Actor, user_id: uuid.UUID, *, reason: str = "") -> None:
    """Take a member out of the team; they lose everything in it at once, and their keys for it end.

    Invitations that they sent and that still wait are cancelled. Raises MemberNotFound, PermissionDenied, LastOwner,
    ValidationFailed.
    """
    authorize(may_manage_somewhere(actor))
    if len(reason) > MAX_REASON:
        raise ValidationFailed({"reason": [f"The reason is longer than {MAX_REASON} characters."]})
    with transaction.atomic():
        fresh = lock_for(actor)
        tenant_id = require_tenant(fresh)
        if not Membership.objects.filter(tenant_id=tenant_id, user_id=user_id).exists():
            raise MemberNotFound
        held = [(h.role, h.project_id) for h in roles_held(tenant_id, user_id)]
        if user_id != fresh.person:
            authorize(may_remove(fresh, held))
        else:
            authorize(may_leave(fresh))
        _take_out(fresh, tenant_id, user_id, reason.strip())


def leave_team(actor: Actor) -> None:
    """Leave the actor's team. Raises PermissionDenied, LastOwner."""
    authorize(may_leave(actor))
    with transaction.atomic():
        fresh = lock_for(actor)
        _take_out(fresh, require_tenant(fresh), fresh.person, "")


def _take_out(actor: Actor, tenant_id: uuid.UUID, user_id: uuid.UUID, reason: str) -> None:
    held = roles_held(tenant_id, user_id)
    if any(h.role.is_owner for h in held) and not owners_left(tenant_id, user_id):
        raise LastOwner
    moment, user = now(), User.objects.get(id=user_id)
    keys = ApiKey.objects.filter(tenant_id=tenant_id, user_id=user_id, revoked_at=None).update(revoked_at=moment)
    sent = list(Invitation.objects.filter(tenant_id=tenant_id, invited_by_id=user_id, state=InvitationState.PENDING))
    Invitation.objects.filter(id__in=[i.id for i in sent]).update(state=InvitationState.CANCELLED, ended_at=moment)
    AccessRequest.objects.filter(tenant_id=tenant_id, user_id=user_id, state=AccessRequestState.OPEN).update(
        state=AccessRequestState.DECLINED, decided_at=moment, reason="They are not in the team any more."
    )
    for table in (RoleBinding, ProviderGrant):
        table.objects.filter(tenant_id=tenant_id, user_id=user_id).delete()
    Membership.objects.filter(tenant_id=tenant_id, user_id=user_id).delete()
    cancelled = [events.InvitationCancelled(tenant_id, i.id, i.email, i.role, i.version) for i in sent]
    before = [f"{h.role.name}: {h.project_id or 'whole team'}" for h in held]
    removed = events.MemberRemoved(tenant_id, user_id, user.email, user.name, before, reason, keys, len(sent))
    emit(actor, *cancelled, removed)


def drop_project_roles(tenant_id: uuid.UUID, project_id: uuid.UUID) -> None:
    """Remove what was given in a project that is being deleted; called in that transaction."""
    for table in (RoleBinding, ProviderGrant, ProviderRole):
        table.objects.filter(tenant_id=tenant_id, project_id=project_id).delete()
    Invitation.objects.filter(
        tenant_id=tenant_id,
        state__in=[InvitationState.PENDING, InvitationState.EXPIRED],
        projects__contains=[project_id],
    ).update(void_because="A project that it was for was deleted.")
    AccessRequest.objects.filter(tenant_id=tenant_id, project_id=project_id, state=AccessRequestState.OPEN).update(
        state=AccessRequestState.DECLINED, decided_at=now(), reason="The project was deleted."
    )


def note_activity(actor: Actor) -> None:
    """Note that a person was active in their tenant, at most once in five minutes; a hot row otherwise."""
    moment = now()
    stale = Q(last_active_at=None) | Q(last_active_at__lt=moment - ACTIVE_EVERY)
    rows = Membership.objects.filter(stale, tenant_id=actor.tenant, user_id=actor.person)
    rows.update(last_active_at=moment)
