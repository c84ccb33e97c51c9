"""The outbox: events as they were committed, in order, until the relay has handed each one on."""

from __future__ import annotations

import uuid

from django.db import models

from imagefactory.kernel.ids import uuid7


class OutboxEvent(models.Model):
    """One event envelope (contracts.md, "Events"). `seq` orders, `id` is what other systems know."""

    seq = models.BigAutoField(primary_key=True)
    id = models.UUIDField(default=uuid7, unique=True, editable=False)
    type = models.CharField(max_length=80)
    schema_version = models.PositiveSmallIntegerField(default=1)
    occurred_at = models.DateTimeField(auto_now_add=True)
    tenant_id = models.UUIDField(null=True)
    actor_id: models.UUIDField[uuid.UUID | None, uuid.UUID | None] = models.UUIDField(null=True)
    actor_kind = models.CharField(max_length=10)
    actor_name = models.CharField(max_length=200)
    actor_email = models.CharField(max_length=254, blank=True, default="", db_default="")
    key_id: models.UUIDField[uuid.UUID | None, uuid.UUID | None] = models.UUIDField(null=True)
    source = models.CharField(max_length=60)
    correlation_id = models.CharField(max_length=64, blank=True)
    request_id = models.CharField(max_length=64, blank=True)
    trace_id = models.CharField(max_length=64, blank=True)
    address = models.CharField(max_length=64, blank=True)
    payload = models.JSONField(default=dict)
    delivered_at = models.DateTimeField(null=True)
    # An event whose reaction fails is tried again at `not_before`, later each time, and holds up no other meanwhile.
    attempts = models.PositiveIntegerField(default=0, db_default=0)
    not_before = models.DateTimeField(null=True)
    last_error = models.CharField(max_length=500, blank=True, default="", db_default="")

    class Meta:
        indexes = [
            models.Index(fields=["seq"], name="outbox_waiting", condition=models.Q(delivered_at__isnull=True)),
            models.Index(fields=["delivered_at"], name="outbox_delivered"),
        ]
