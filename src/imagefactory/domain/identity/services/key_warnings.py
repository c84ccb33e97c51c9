"""Warning of keys that are about to end."""

from __future__ import annotations

import datetime as dt

from django.db import transaction
from django.db.models import F, Q

from imagefactory.domain.identity import events
from imagefactory.domain.identity.models import ApiKey
from imagefactory.domain.identity.states import KeyKind
from imagefactory.kernel.actor import Actor
from imagefactory.kernel.clock import now
from imagefactory.kernel.outbox.emit import emit

WARN_DAYS = (14, 3)
_BATCH = 500


def warn_of_expiring_keys(actor: Actor) -> int:
    """State `key.expiring` for each key that ends within 14 days, and again within 3, and return how many. Safe to repeat.

    A key that was made for a shorter time than that is not worth a warning, nor is one that has a successor.
    """
    told = 0
    for days in sorted(WARN_DAYS):
        while batch := _due(days):
            told += sum(_warn(actor, key, days) for key in batch)
    return told


def _due(days: int) -> list[ApiKey]:
    span = dt.timedelta(days=days)
    rows = ApiKey.objects.filter(
        Q(warned_days__isnull=True) | Q(warned_days__gt=days),
        revoked_at=None, replaced_by=None, expires_at__gt=now(), expires_at__lte=now() + span,
        created_at__lt=F("expires_at") - span, service_account__disabled_at=None, service_account__deleted_at=None,
    )  # fmt: skip
    return list(rows.exclude(kind=KeyKind.CI).order_by("expires_at")[:_BATCH])


def _warn(actor: Actor, key: ApiKey, days: int) -> bool:
    left = max(1, -(-(key.expires_at - now()) // dt.timedelta(days=1)))
    with transaction.atomic():
        unchanged = ApiKey.objects.filter(id=key.id, warned_days=key.warned_days, revoked_at=None)
        if not unchanged.update(warned_days=days):
            return False
        event = events.ApiKeyExpiring(
            key.tenant_id, key.id, key.name, key.prefix, left, key.expires_at.isoformat(), key.user_id,
            key.service_account_id,
        )  # fmt: skip
        emit(actor, event)
    return True
