"""An API key becomes an actor."""

from __future__ import annotations

import datetime as dt

from imagefactory.domain.identity.errors import TenantNotFound
from imagefactory.domain.identity.models import ApiKey, Membership
from imagefactory.domain.identity.selectors.actor_parts import actor_from
from imagefactory.kernel.actor import Actor
from imagefactory.kernel.clock import now
from imagefactory.kernel.errors import TokenExpired, Unauthorized
from imagefactory.kernel.ids import digest


def actor_for_key(rest: str, tenant: str | None, request_id: str, address: str) -> Actor:
    """Return the actor of an API key: `rest` is its text after `ifk_`.

    Raises Unauthorized, TokenExpired, TenantNotFound.
    """
    prefix, _, secret = rest.partition("_")
    key = ApiKey.objects.filter(prefix=prefix, secret_hash=digest(secret)).select_related("user", "tenant").first()
    if key is None or key.revoked_at is not None or not key.user.is_active:
        raise Unauthorized("This API key is not valid, or was revoked. Make a new one in your account.")
    if key.expires_at <= now():
        raise TokenExpired(f"This API key expired on {key.expires_at:%-d %B %Y}. Make a new one in your account.")
    if not Membership.objects.filter(user=key.user, tenant=key.tenant).exists():
        raise Unauthorized("The owner of this API key no longer belongs to its tenant.")
    if tenant and tenant not in {key.tenant.slug, str(key.tenant_id)}:
        raise TenantNotFound
    if key.last_used_at is None or now() - key.last_used_at > dt.timedelta(minutes=1):
        ApiKey.objects.filter(id=key.id).update(last_used_at=now())  # at most once a minute: a hot row otherwise
    return actor_from(key.user, key.tenant, request_id=request_id, address=address, key_id=key.id, scopes=key.scopes)
