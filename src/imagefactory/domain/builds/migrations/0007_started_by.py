"""Builds remember who asked for their newest attempt. Additive; null reads as who made the build."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("builds", "0006_claim_waits")]
    operations = [migrations.AddField("build", "started_by_id", models.UUIDField(null=True))]
