"""API keys without their secrets."""

from __future__ import annotations

import dataclasses
import datetime as dt
import uuid
from collections.abc import Mapping, Sequence

from django.db.models import Q, QuerySet

from imagefactory.domain.identity import policies
from imagefactory.domain.identity.errors import KeyNotFound
from imagefactory.domain.identity.models import ApiKey, KeyPolicy
from imagefactory.domain.identity.selectors.tenants import require_tenant
from imagefactory.domain.identity.states import KeyKind
from imagefactory.kernel.actor import Actor
from imagefactory.kernel.authorize import authorize
from imagefactory.kernel.clock import now

KEY_DAYS_MAX = 366
SHOWN_CI_KEYS = 50
MAX_KEYS = 200  # of one person or service account


@dataclasses.dataclass(frozen=True)
class KeyView:
    """An API key without its secret. `holder` is whose it is; `replaced` that a successor was made and it ends soon."""

    id: uuid.UUID
    name: str
    prefix: str
    scopes: list[str]
    created_at: dt.datetime
    expires_at: dt.datetime
    last_used_at: dt.datetime | None
    last_used_address: str = ""
    kind: str = KeyKind.PERSONAL
    note: str = ""
    project_ids: Sequence[uuid.UUID] | None = None
    holder: str = ""
    holder_email: str = ""
    service_account_id: uuid.UUID | None = None
    expired: bool = False
    replaced: bool = False
    replaces_prefix: str = ""
    rotatable: bool = False
    identity: Mapping[str, str] = dataclasses.field(default_factory=dict)


def _view(k: ApiKey) -> KeyView:
    successor, old = getattr(k, "replaced_by", None), k.replaces
    old_works = old is not None and old.revoked_at is None and old.expires_at > now()
    expired = k.expires_at <= now()
    holder = k.user.name if k.user else k.service_account.name if k.service_account else k.name
    email = k.user.email if k.user else k.service_account.contact_email if k.service_account else ""
    return KeyView(
        k.id, k.name, k.prefix, k.scopes, k.created_at, k.expires_at, k.last_used_at, k.last_used_address, k.kind,
        k.note, k.project_ids, holder, email, k.service_account_id, expired, successor is not None,
        old.prefix if old is not None and old_works else "",
        k.kind != KeyKind.CI and successor is None and not old_works and not expired, k.identity,
    )  # fmt: skip


def _shown(rows: QuerySet[ApiKey], limit: int = MAX_KEYS) -> list[KeyView]:
    joined = rows.select_related("user", "service_account", "replaces", "replaced_by")
    return [_view(k) for k in joined.order_by("-created_at", "-id")[:limit]]


def _live(actor: Actor) -> QuerySet[ApiKey]:
    return ApiKey.objects.filter(tenant_id=actor.tenant, revoked_at=None).exclude(kind=KeyKind.CI)


def keys_of(actor: Actor) -> list[KeyView]:
    """Return the actor's own keys of this tenant that were not revoked, newest first."""
    return _shown(_live(actor).filter(user_id=actor.person))


def own_key(actor: Actor, key_id: uuid.UUID) -> KeyView:
    """Return one of the actor's own keys.

    Raises KeyNotFound, also for someone else's.
    """
    return _one(_live(actor).filter(user_id=actor.person, id=key_id))


def keys_of_account(actor: Actor, account_id: uuid.UUID) -> list[KeyView]:
    """Return the keys of a service account that the caller has loaded, newest first."""
    return _shown(_live(actor).filter(service_account_id=account_id))


def keys_of_tenant(actor: Actor, *, search: str = "", after: uuid.UUID | None = None, limit: int = 50) -> list[KeyView]:
    """Return all keys of the tenant, people's and service accounts', newest first; `after` is the last id of a page.

    Raises PermissionDenied.
    """
    require_tenant(actor)
    authorize(policies.may_oversee_keys(actor))
    rows = _live(actor)
    if search:
        text = search[:100]
        rows = rows.filter(
            Q(name__icontains=text) | Q(prefix__startswith=text.removeprefix("ifk_").lower())
            | Q(user__name__icontains=text) | Q(user__email__icontains=text) | Q(service_account__name__icontains=text)
        )  # fmt: skip
    if after is not None:
        rows = rows.filter(id__lt=after)
    joined = rows.select_related("user", "service_account", "replaces", "replaced_by")
    return [_view(k) for k in joined.order_by("-id")[:limit]]


def ci_keys_of_tenant(actor: Actor) -> list[KeyView]:
    """Return the keys that were given to CI runs lately, newest first.

    Raises PermissionDenied.
    """
    require_tenant(actor)
    authorize(policies.may_oversee_keys(actor))
    return _shown(ApiKey.objects.filter(tenant_id=actor.tenant, kind=KeyKind.CI, revoked_at=None), SHOWN_CI_KEYS)


def key_of_tenant(actor: Actor, key_id: uuid.UUID) -> KeyView:
    """Return any key of the tenant, for who oversees them.

    Raises PermissionDenied, KeyNotFound.
    """
    require_tenant(actor)
    authorize(policies.may_oversee_keys(actor))
    return _one(ApiKey.objects.filter(tenant_id=actor.tenant, revoked_at=None, id=key_id))


def _one(rows: QuerySet[ApiKey]) -> KeyView:
    found = rows.select_related("user", "service_account", "replaces", "replaced_by").first()
    if found is None:
        raise KeyNotFound
    return _view(found)


def key_days_max(tenant_id: uuid.UUID) -> int:
    """Return the longest life of a new key in a tenant, in days."""
    rule = KeyPolicy.objects.filter(tenant_id=tenant_id).values_list("days_max", flat=True).first()
    return rule or KEY_DAYS_MAX
