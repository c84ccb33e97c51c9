"""The tables of the audit trail. Rows of entries and checkpoints are only ever added; triggers refuse the rest."""

from __future__ import annotations

from django.contrib.postgres.search import SearchVectorField
from django.db import models


class AuditEntry(models.Model):
    """Who did what to which object, when, from where, with what result. Partitioned by the month of `occurred_at`.

    The primary key in the database is (event_id, occurred_at). `seq` counts within a chain: a tenant's rows, or those
    without tenant. `hash` covers every column and `prev_hash` (canonical.py); `search` holds the row's words.
    """

    event_id = models.UUIDField(primary_key=True)
    occurred_at = models.DateTimeField()
    recorded_at = models.DateTimeField()
    seq = models.BigIntegerField()
    tenant_id = models.UUIDField(null=True)
    project_id = models.UUIDField(null=True)
    type = models.TextField()
    actor_id = models.UUIDField(null=True)
    actor_kind = models.TextField()
    actor_name = models.TextField()
    actor_email = models.TextField()
    key_id = models.UUIDField(null=True)
    object_kind = models.TextField()
    object_id = models.TextField()
    object_label = models.TextField()
    before = models.JSONField(null=True)
    after = models.JSONField(null=True)
    details = models.JSONField()
    result = models.TextField()
    reason = models.TextField()
    address = models.TextField()
    request_id = models.TextField()
    correlation_id = models.TextField()
    search = SearchVectorField()
    prev_hash = models.BinaryField()
    hash = models.BinaryField()

    class Meta:
        db_table = "audit_entry"


class ChainHead(models.Model):
    """The newest row of a chain: what the next one follows from. The nil UUID is the installation's chain."""

    chain = models.UUIDField(primary_key=True)
    seq = models.BigIntegerField()
    hash = models.BinaryField()

    class Meta:
        db_table = "audit_head"


class Checkpoint(models.Model):
    """A signed statement that row `seq` of `chain` had `hash`; `number` counts in the whole installation without gaps.

    Kind `removal`: rows up to `seq` were dropped by retention; `removed_until` is the time that they reach to, and
    `kept_hash` covers the rows of lower number that stand in a later month.
    """

    number = models.BigIntegerField(primary_key=True)
    chain = models.UUIDField()
    seq = models.BigIntegerField()
    hash = models.BinaryField()
    kind = models.TextField()
    made_at = models.DateTimeField()
    removed_until = models.DateTimeField(null=True)
    kept_hash = models.BinaryField()
    previous = models.BinaryField()
    key_id = models.TextField()
    signature = models.BinaryField()

    class Meta:
        db_table = "audit_checkpoint"
        indexes = [models.Index(fields=["chain", "seq"], name="audit_checkpoint_chain")]


class RefusalWindow(models.Model):
    """How often one actor was refused one action within one minute; `event` and `actor` are those of the first."""

    key = models.CharField(max_length=64, primary_key=True)
    started_at = models.DateTimeField()
    count = models.PositiveIntegerField()
    actor = models.JSONField()
    event = models.JSONField()

    class Meta:
        db_table = "audit_refusal_window"
        indexes = [models.Index(fields=["started_at"], name="audit_refusal_window_old")]
