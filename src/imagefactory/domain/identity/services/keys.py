"""API keys: making and revoking them."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Sequence

from django.db import transaction

from imagefactory.domain.identity import events, policies
from imagefactory.domain.identity.errors import KeyNotFound
from imagefactory.domain.identity.models import ApiKey
from imagefactory.domain.identity.permissions import Permission
from imagefactory.domain.identity.selectors import require_tenant
from imagefactory.domain.identity.states import TokenKind
from imagefactory.kernel import ids
from imagefactory.kernel.actor import Actor
from imagefactory.kernel.authorize import authorize
from imagefactory.kernel.clock import now
from imagefactory.kernel.errors import ValidationFailed
from imagefactory.kernel.outbox.emit import emit

KEY_LIFE_DAYS_MAX = 366


def create_api_key(
    actor: Actor, *, name: str, scopes: Sequence[str] | None = None, days: int = 90
) -> tuple[ApiKey, str]:
    """Return a new key of the actor in this tenant, and its text, which is shown this once.

    Raises PermissionDenied from a key, ValidationFailed.
    """
    tenant_id = require_tenant(actor)
    authorize(policies.may_manage_key(actor, actor.person))
    wanted = [str(p) for p in Permission] if scopes is None else sorted(set(scopes))
    wrong: dict[str, list[str]] = {}
    if not 1 <= len(name.strip()) <= 80:
        wrong["name"] = ["Give the key a name that says what uses it, in at most 80 characters."]
    if unknown := [s for s in wanted if s not in {str(p) for p in Permission}]:
        wrong["scopes"] = [f"There is no scope {', '.join(unknown[:5])}. Choose from the permissions in the reference."]
    if not wanted:
        wrong["scopes"] = ["Choose at least one scope; a key without any can do nothing."]
    if not 1 <= days <= KEY_LIFE_DAYS_MAX:
        wrong["days"] = [f"A key lives 1 to {KEY_LIFE_DAYS_MAX} days."]
    if wrong:
        raise ValidationFailed(wrong)
    prefix, secret = ids.token(6), ids.token(24)
    with transaction.atomic():
        key = ApiKey.objects.create(
            tenant_id=tenant_id,
            user_id=actor.person,
            name=name.strip(),
            prefix=prefix,
            secret_hash=ids.digest(secret),
            scopes=wanted,
            expires_at=now() + dt.timedelta(days=days),
        )
        emit(actor, events.ApiKeyCreated(tenant_id, key.id, key.name, wanted, key.expires_at.isoformat()))
    return key, f"{TokenKind.API_KEY}_{prefix}_{secret}"


def revoke_api_key(actor: Actor, key_id: uuid.UUID) -> None:
    """Revoke one of the actor's own keys; it stops working at once. Safe to repeat.

    Raises KeyNotFound, PermissionDenied.
    """
    key = ApiKey.objects.filter(id=key_id, tenant_id=require_tenant(actor), user_id=actor.person).first()
    if key is None:
        raise KeyNotFound
    authorize(policies.may_manage_key(actor, key.user_id))
    with transaction.atomic():
        if ApiKey.objects.filter(id=key_id, revoked_at=None).update(revoked_at=now()):
            emit(actor, events.ApiKeyRevoked(key.tenant_id, key.id, key.name))
