"""The flat table of entries becomes the chained, partitioned trail; entries that exist are moved in their order."""

from pathlib import Path

import django.contrib.postgres.search
from django.db import migrations, models

_BATCH = 1000


def move(apps, schema_editor):
    from imagefactory.domain.audit.services.record import append, old_entry

    old = apps.get_model("audit", "AuditEntry")
    last = 0
    while rows := list(old.objects.filter(id__gt=last).order_by("id")[:_BATCH]):
        append([old_entry(r) for r in rows])
        last = rows[-1].id


class Migration(migrations.Migration):
    dependencies = [("audit", "0001_initial"), ("outbox", "0002_attempts_and_identity")]

    operations = [
        migrations.RunSQL((Path(__file__).parent / "trail.sql").read_text("utf-8")),
        migrations.RunPython(move),
        migrations.DeleteModel("AuditEntry"),
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.CreateModel(
                    "AuditEntry",
                    [
                        ("event_id", models.UUIDField(primary_key=True, serialize=False)),
                        ("occurred_at", models.DateTimeField()),
                        ("recorded_at", models.DateTimeField()),
                        ("seq", models.BigIntegerField()),
                        ("tenant_id", models.UUIDField(null=True)),
                        ("project_id", models.UUIDField(null=True)),
                        ("type", models.TextField()),
                        ("actor_id", models.UUIDField(null=True)),
                        ("actor_kind", models.TextField()),
                        ("actor_name", models.TextField()),
                        ("actor_email", models.TextField()),
                        ("key_id", models.UUIDField(null=True)),
                        ("object_kind", models.TextField()),
                        ("object_id", models.TextField()),
                        ("object_label", models.TextField()),
                        ("before", models.JSONField(null=True)),
                        ("after", models.JSONField(null=True)),
                        ("details", models.JSONField()),
                        ("result", models.TextField()),
                        ("reason", models.TextField()),
                        ("address", models.TextField()),
                        ("request_id", models.TextField()),
                        ("correlation_id", models.TextField()),
                        ("search", django.contrib.postgres.search.SearchVectorField()),
                        ("prev_hash", models.BinaryField()),
                        ("hash", models.BinaryField()),
                    ],
                    options={"db_table": "audit_entry"},
                ),
                migrations.CreateModel(
                    "ChainHead",
                    [
                        ("chain", models.UUIDField(primary_key=True, serialize=False)),
                        ("seq", models.BigIntegerField()),
                        ("hash", models.BinaryField()),
                    ],
                    options={"db_table": "audit_head"},
                ),
                migrations.CreateModel(
                    "Checkpoint",
                    [
                        ("number", models.BigIntegerField(primary_key=True, serialize=False)),
                        ("chain", models.UUIDField()),
                        ("seq", models.BigIntegerField()),
                        ("hash", models.BinaryField()),
                        ("kind", models.TextField()),
                        ("made_at", models.DateTimeField()),
                        ("removed_until", models.DateTimeField(null=True)),
                        ("kept_hash", models.BinaryField()),
                        ("previous", models.BinaryField()),
                        ("key_id", models.TextField()),
                        ("signature", models.BinaryField()),
                    ],
                    options={
                        "db_table": "audit_checkpoint",
                        "indexes": [models.Index(fields=["chain", "seq"], name="audit_checkpoint_chain")],
                    },
                ),
                migrations.CreateModel(
                    "RefusalWindow",
                    [
                        ("key", models.CharField(max_length=64, primary_key=True, serialize=False)),
                        ("started_at", models.DateTimeField()),
                        ("count", models.PositiveIntegerField()),
                        ("actor", models.JSONField()),
                        ("event", models.JSONField()),
                    ],
                    options={
                        "db_table": "audit_refusal_window",
                        "indexes": [models.Index(fields=["started_at"], name="audit_refusal_window_old")],
                    },
                ),
            ],
        ),
    ]
