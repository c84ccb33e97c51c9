"""API keys without their secrets."""

from __future__ import annotations

import dataclasses
import datetime as dt
import uuid

from imagefactory.domain.identity.models import ApiKey
from imagefactory.kernel.actor import Actor


@dataclasses.dataclass(frozen=True)
class KeyView:
    """An API key without its secret."""

    id: uuid.UUID
    name: str
    prefix: str
    scopes: list[str]
    created_at: dt.datetime
    expires_at: dt.datetime
    last_used_at: dt.datetime | None


def keys_of(actor: Actor) -> list[KeyView]:
    """Return the actor's own live keys of this tenant, newest first."""
    keys = ApiKey.objects.filter(user_id=actor.person, tenant_id=actor.tenant, revoked_at=None)
    return [
        KeyView(k.id, k.name, k.prefix, k.scopes, k.created_at, k.expires_at, k.last_used_at)
        for k in keys.order_by("-created_at")[:200]
    ]
