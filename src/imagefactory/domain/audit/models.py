"""The table of the audit trail."""

from __future__ import annotations

from django.db import models


class AuditEntry(models.Model):
    """Who did what to which object, when, from where. `event_id` makes it once for each event."""

    id = models.BigAutoField(primary_key=True)
    event_id = models.UUIDField(unique=True)
    type = models.CharField(max_length=80)
    occurred_at = models.DateTimeField()
    tenant_id = models.UUIDField(null=True)
    project_id = models.UUIDField(null=True)
    actor_id = models.UUIDField(null=True)
    actor_kind = models.CharField(max_length=10)
    actor_name = models.CharField(max_length=200)
    address = models.CharField(max_length=64, blank=True)
    request_id = models.CharField(max_length=64, blank=True)
    payload = models.JSONField(default=dict)

    class Meta:
        indexes = [
            models.Index(fields=["tenant_id", "-id"], name="audit_tenant_newest"),
            models.Index(fields=["tenant_id", "project_id", "-id"], name="audit_project_newest"),
        ]
