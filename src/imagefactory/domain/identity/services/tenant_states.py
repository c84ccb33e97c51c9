"""Changes of a tenant's state: approve, refuse, suspend, lift, delete, keep."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Callable

from django.db import transaction

from imagefactory.domain.identity import events, policies
from imagefactory.domain.identity.errors import TenantNotFound
from imagefactory.domain.identity.models import Tenant, TenantDecision
from imagefactory.domain.identity.services.exports import ask_for_export
from imagefactory.domain.identity.services.reasons import reason_of
from imagefactory.domain.identity.states import TENANT, TenantState
from imagefactory.kernel import env
from imagefactory.kernel.actor import Actor
from imagefactory.kernel.authorize import Refusal, authorize
from imagefactory.kernel.clock import now
from imagefactory.kernel.errors import Conflict, ValidationFailed
from imagefactory.kernel.outbox.emit import emit

STATE = "state"  # what a decision about the state is filed under


def approve_tenant(actor: Actor, tenant_id: uuid.UUID, *, reason: str) -> None:
    """Let a tenant that waits for it begin.

    Raises PermissionDenied, TenantNotFound, ValidationFailed, InvalidTransition.
    """
    authorize(policies.may_change_installation(actor))
    _move(actor, tenant_id, TenantState.ACTIVE, reason, TenantState.AWAITING_APPROVAL, events.TenantApproved)


def refuse_tenant(actor: Actor, tenant_id: uuid.UUID, *, reason: str) -> None:
    """Turn a waiting tenant down; it is removed after the grace period unless an administrator thinks again.

    Raises PermissionDenied, TenantNotFound, ValidationFailed, InvalidTransition.
    """
    authorize(policies.may_change_installation(actor))
    _move(actor, tenant_id, TenantState.DELETING, reason, TenantState.AWAITING_APPROVAL, events.TenantRefused)


def suspend_tenant(actor: Actor, tenant_id: uuid.UUID, *, reason: str) -> None:
    """Stop all changes in a tenant: reads go on, running builds finish, queued ones wait.

    Raises PermissionDenied, TenantNotFound, ValidationFailed, InvalidTransition.
    """
    authorize(policies.may_change_installation(actor))
    _move(actor, tenant_id, TenantState.SUSPENDED, reason, TenantState.ACTIVE, events.TenantSuspended)


def lift_suspension(actor: Actor, tenant_id: uuid.UUID, *, reason: str) -> None:
    """Let a suspended tenant work again; what was queued goes on.

    Raises PermissionDenied, TenantNotFound, ValidationFailed, InvalidTransition.
    """
    authorize(policies.may_change_installation(actor))
    _move(actor, tenant_id, TenantState.ACTIVE, reason, TenantState.SUSPENDED, events.TenantSuspensionLifted)


def delete_tenant(actor: Actor, tenant_id: uuid.UUID, *, confirm: str, reason: str) -> None:
    """Begin the deletion of a tenant: an export is made, and after the grace period a job removes everything.

    `confirm` is the typed short name. Raises TenantNotFound, PermissionDenied, ValidationFailed, InvalidTransition.
    """
    authorize(policies.may_end_tenant(actor, tenant_id))
    slug = Tenant.objects.filter(id=tenant_id).values_list("slug", flat=True).first()
    if slug is None:
        raise TenantNotFound
    if confirm.strip() != slug:
        raise ValidationFailed({"confirm": [f"Type the team's short name, {slug}, to delete it."]})
    with transaction.atomic():
        _move(actor, tenant_id, TenantState.DELETING, reason, None, events.TenantDeletionStarted)
        ask_for_export(actor, tenant_id)


def stop_deletion(actor: Actor, tenant_id: uuid.UUID, *, reason: str) -> None:
    """Keep a tenant that was being deleted; it is again as it was before.

    Raises TenantNotFound, PermissionDenied (a refused sign-up is brought back by an administrator only),
    ValidationFailed, InvalidTransition, Conflict once the grace period is over: the removal may have begun.
    """
    authorize(policies.may_end_tenant(actor, tenant_id))
    with transaction.atomic():
        tenant = _locked(tenant_id)
        if tenant.state == TenantState.DELETING and tenant.delete_after is not None and tenant.delete_after <= now():
            raise Conflict("The grace period of this team is over and it is being removed. It cannot be kept any more.")
        before = TenantState(tenant.state_before or TenantState.ACTIVE)
        if before is TenantState.AWAITING_APPROVAL:
            authorize(
                True if actor.is_system_admin
                else Refusal("tenant:keep", "This team was not approved.", "A system administrator can bring it back.")
            )  # fmt: skip
        _move(actor, tenant_id, before, reason, TenantState.DELETING, events.TenantDeletionStopped)


def _locked(tenant_id: uuid.UUID) -> Tenant:
    tenant = Tenant.objects.select_for_update().filter(id=tenant_id).first()
    if tenant is None:
        raise TenantNotFound
    return tenant


def _move(
    actor: Actor, tenant_id: uuid.UUID, target: TenantState, reason: str, source: TenantState | None,
    event: Callable[..., events.TenantStateChanged],
) -> None:  # fmt: skip
    """Move a locked tenant, from `source` where one is named, and tell it.

    Raises TenantNotFound, ValidationFailed, InvalidTransition.
    """
    why = reason_of(reason)
    with transaction.atomic():
        tenant = _locked(tenant_id)
        before = TenantState(tenant.state)
        if not TENANT.allows(before, target) or (source is not None and before is not source):
            raise TENANT.refuse(before, target)
        ends = target is TenantState.DELETING
        tenant.state, tenant.state_reason = target, why
        tenant.state_before = before if ends else ""
        tenant.delete_after = now() + dt.timedelta(days=env.get().deletion_grace_days) if ends else None
        tenant.save(update_fields=["state", "state_reason", "state_before", "delete_after", "updated_at"])
        TenantDecision.objects.create(
            tenant=tenant,
            what=STATE,
            before=before,
            after=target,
            reason=why,
            by_id=actor.user_id,
            by_name=actor.name[:200],
        )
        more = (
            {"delete_after": tenant.delete_after.isoformat()}
            if event is events.TenantDeletionStarted and tenant.delete_after
            else {}
        )
        emit(actor, event(tenant.id, tenant.slug, str(before), str(target), why, **more))
