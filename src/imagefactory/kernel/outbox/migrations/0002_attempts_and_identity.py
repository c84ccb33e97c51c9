"""Attempts of an event that fails, and who acted in more words: all with defaults, so that old code still writes."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("outbox", "0001_initial")]

    operations = [
        migrations.AddField("outboxevent", "actor_email", models.CharField(blank=True, max_length=254, db_default="", default="")),
        migrations.AddField("outboxevent", "key_id", models.UUIDField(null=True)),
        migrations.AddField("outboxevent", "attempts", models.PositiveIntegerField(db_default=0, default=0)),
        migrations.AddField("outboxevent", "not_before", models.DateTimeField(null=True)),
        migrations.AddField("outboxevent", "last_error", models.CharField(blank=True, max_length=500, db_default="", default="")),
    ]
