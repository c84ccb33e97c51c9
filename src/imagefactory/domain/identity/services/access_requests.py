"""Asking for access, and the answer."""

from __future__ import annotations

import uuid

from django.db import IntegrityError, transaction

from imagefactory.domain.identity import events
from imagefactory.domain.identity.errors import AccessRequestNotFound, AlreadyDecided
from imagefactory.domain.identity.models import AccessRequest
from imagefactory.domain.identity.permissions import Permission
from imagefactory.domain.identity.policies import may_act_as_person
from imagefactory.domain.identity.policies.members import in_active_team
from imagefactory.domain.identity.selectors import require_tenant
from imagefactory.domain.identity.selectors.access_requests import AccessRequestView, decidable, open_request
from imagefactory.domain.identity.selectors.members import roles_held, smallest_role_with
from imagefactory.domain.identity.selectors.roles import find_role
from imagefactory.domain.identity.services.members import change_roles
from imagefactory.domain.identity.services.team_lock import lock_for
from imagefactory.domain.identity.states import AccessRequestState
from imagefactory.kernel.actor import Actor
from imagefactory.kernel.authorize import authorize
from imagefactory.kernel.clock import now
from imagefactory.kernel.errors import Conflict, ValidationFailed
from imagefactory.kernel.outbox.emit import emit
from imagefactory.kernel.throttle.check import count_attempt

MAX_TEXT = 500  # characters of a message or a reason


def request_access(
    actor: Actor, permission: str, project_id: uuid.UUID | None = None, *, message: str = ""
) -> AccessRequestView:
    """Ask those who can grant it for a permission, in a project or in the whole tenant. They are told.

    The caller has looked the project up as the actor. Raises PermissionDenied from a key or in a team that is not active,
    Conflict when it is there or asked for already, RateLimited (once a day for each permission and project),
    ValidationFailed.
    """
    authorize(may_act_as_person(actor))
    authorize(in_active_team(actor))
    tenant_id = require_tenant(actor)
    wrong: dict[str, list[str]] = {}
    if permission not in {str(p) for p in Permission}:
        wrong["permission"] = ["There is no such permission. Choose from those in the reference."]
    if len(message) > MAX_TEXT:
        wrong["message"] = [f"The message is longer than {MAX_TEXT} characters."]
    if wrong:
        raise ValidationFailed(wrong)
    if actor.may(permission, project_id):
        raise Conflict("You may do this already. Load the page again.")
    if open_request(actor, permission, project_id):
        raise Conflict("You asked for this already, and nobody has decided yet.")
    what = f"{tenant_id}\0{actor.person}\0{permission}\0{project_id}"
    count_attempt("ask for this", what, limit=1, window_seconds=86_400)
    try:
        with transaction.atomic():
            row = AccessRequest.objects.create(
                tenant_id=tenant_id, user_id=actor.person, permission=permission, project_id=project_id,
                message=message.strip(),
            )  # fmt: skip
            emit(actor, events.AccessRequested(tenant_id, row.id, actor.person, permission, project_id, row.message))
    except IntegrityError:
        raise Conflict("You asked for this already, and nobody has decided yet.") from None
    found = open_request(actor, permission, project_id)
    if found is None:
        raise AccessRequestNotFound  # decided in this moment
    return found


def _open(actor: Actor, request_id: uuid.UUID) -> AccessRequest:
    row = decidable(actor).filter(id=request_id).first()
    if row is None:
        raise AccessRequestNotFound
    if row.state != AccessRequestState.OPEN:
        raise AlreadyDecided(row.state, row.decided_by.name if row.decided_by else "")
    return row


def _decide(actor: Actor, row: AccessRequest, decision: AccessRequestState, *, role: str, reason: str) -> None:
    mine = AccessRequest.objects.filter(id=row.id, state=AccessRequestState.OPEN)
    if not mine.update(state=decision, decided_by_id=actor.user_id, decided_at=now(), reason=reason):
        raise AlreadyDecided("decided", "")
    said = events.AccessDecided(
        row.tenant_id, row.id, row.user_id, row.permission, row.project_id, str(decision), role, reason
    )
    emit(actor, said)


def grant_access(actor: Actor, request_id: uuid.UUID, *, role: str = "", project_id: uuid.UUID | None = None) -> str:
    """Grant a request and return the name of the role that the person has now.

    Without `role`, the smallest built-in role that adds the permission. `project_id` says where, for a request that named
    no project. Raises AccessRequestNotFound also for one that is not the actor's to decide; AlreadyDecided, PermissionDenied, ValidationFailed.
    """
    with transaction.atomic():
        fresh = lock_for(actor)
        row = _open(fresh, request_id)
        place = row.project_id or project_id
        held = frozenset[str]().union(
            *(h.role.permissions for h in roles_held(row.tenant_id, row.user_id) if h.project_id == place)
        )
        key = role or str(smallest_role_with(row.permission, held) or "")
        choice = find_role(row.tenant_id, key) if key else None
        if choice is None:
            raise ValidationFailed({"role": ["No role for projects has this permission. Choose the role to give."]})
        if row.permission not in choice.permissions:
            raise ValidationFailed(
                {"role": [f"The role {choice.name} does not have {row.permission}. Choose another."]}
            )
        if not choice.tenant_wide and place is None:
            raise ValidationFailed({"project": ["Choose the project in which the person gets the role."]})
        change_roles(fresh, row.user_id, {None if choice.tenant_wide else place: key})
        _decide(fresh, row, AccessRequestState.GRANTED, role=choice.name, reason="")
    return choice.name


def decline_access(actor: Actor, request_id: uuid.UUID, *, reason: str = "") -> None:
    """Decline a request. Raises AccessRequestNotFound, AlreadyDecided, PermissionDenied, ValidationFailed."""
    if len(reason) > MAX_TEXT:
        raise ValidationFailed({"reason": [f"The reason is longer than {MAX_TEXT} characters."]})
    with transaction.atomic():
        fresh = lock_for(actor)
        _decide(fresh, _open(fresh, request_id), AccessRequestState.DECLINED, role="", reason=reason.strip())
