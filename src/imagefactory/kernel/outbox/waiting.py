"""How long events have been waiting to be handed on."""

from __future__ import annotations

import datetime as dt

from imagefactory.kernel.outbox.models import OutboxEvent


def waiting_since() -> dt.datetime | None:
    """Return when the oldest event that is not handed on yet happened; None when there is none."""
    waiting = OutboxEvent.objects.filter(delivered_at=None).order_by("seq")
    return waiting.values_list("occurred_at", flat=True).first()
