"""What tenants are entitled to: switched by administrators with a reason, asked for by owners."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence

from django.db import transaction

from imagefactory.domain.identity import events, policies
from imagefactory.domain.identity.errors import TenantNotFound
from imagefactory.domain.identity.models import Tenant, TenantDecision
from imagefactory.domain.identity.permissions import CAPABILITY_NAMES, Capability
from imagefactory.domain.identity.selectors.rights import CAPABILITY_FIELDS
from imagefactory.domain.identity.services.reasons import reason_of
from imagefactory.kernel.actor import Actor
from imagefactory.kernel.authorize import authorize
from imagefactory.kernel.clock import now
from imagefactory.kernel.errors import Conflict, ValidationFailed
from imagefactory.kernel.outbox.emit import emit
from imagefactory.kernel.text import plain_text_errors
from imagefactory.kernel.throttle.check import count_attempt

MAX_TENANTS = 200  # of one bulk change
_A_DAY = 86_400


def set_capabilities(
    actor: Actor, tenant_ids: Sequence[uuid.UUID], wanted: Mapping[Capability, bool], *, reason: str
) -> int:
    """Switch these capabilities of these tenants, all or none, and return how many switches really moved.

    Each has its own event with before and after. Safe to repeat. Raises PermissionDenied, ValidationFailed,
    TenantNotFound when one of them does not exist.
    """
    authorize(policies.may_change_installation(actor))
    why, ids = reason_of(reason), sorted(set(tenant_ids))
    if not ids or len(ids) > MAX_TENANTS:
        raise ValidationFailed({"tenants": [f"Choose 1 to {MAX_TENANTS} teams."]})
    if not wanted:
        raise ValidationFailed({"capabilities": ["Choose at least one capability to switch."]})
    moved = 0
    with transaction.atomic():
        tenants = list(Tenant.objects.select_for_update().filter(id__in=ids).order_by("id"))
        if len(tenants) != len(ids):
            raise TenantNotFound
        for tenant in tenants:
            moved += _switch(actor, tenant, wanted, why)
    return moved


def _switch(actor: Actor, tenant: Tenant, wanted: Mapping[Capability, bool], reason: str) -> int:
    words = {True: "on", False: "off"}
    changes = {c: on for c, on in wanted.items() if getattr(tenant, CAPABILITY_FIELDS[c]) != on}
    if not changes:
        return 0
    Tenant.objects.filter(id=tenant.id).update(
        **{CAPABILITY_FIELDS[c]: on for c, on in changes.items()}, updated_at=now()
    )
    TenantDecision.objects.bulk_create(
        TenantDecision(
            tenant=tenant, what=c, before=words[not on], after=words[on], reason=reason, by_id=actor.user_id,
            by_name=actor.name[:200],
        )
        for c, on in changes.items()
    )  # fmt: skip
    emit(
        actor,
        *(events.CapabilityChanged(tenant.id, tenant.slug, str(c), not on, on, reason) for c, on in changes.items()),
    )
    return len(changes)


def request_capability(actor: Actor, capability: Capability, *, message: str) -> None:
    """Ask the administrators for a capability of the actor's tenant.

    Raises PermissionDenied, ValidationFailed, Conflict when it is on already, RateLimited (once a day for each).
    """
    authorize(policies.may_change_tenant(actor, actor.tenant))
    text = " ".join(message.split())
    if len(text) > 500 or plain_text_errors(text):
        raise ValidationFailed({"message": plain_text_errors(text) or ["Say what for in at most 500 characters."]})
    if capability in actor.capabilities:
        raise Conflict(f"{CAPABILITY_NAMES[capability].capitalize()} is switched on for this team already.")
    count_attempt(f"ask for {capability}", str(actor.tenant), limit=1, window_seconds=_A_DAY)
    with transaction.atomic():
        emit(actor, events.CapabilityRequested(actor.tenant, actor.tenant_slug, str(capability), text))
