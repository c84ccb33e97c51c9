"""Builds remember which fields of their manifest were asked for. Additive; null reads as "all of them"."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("builds", "0004_lists")]
    operations = [migrations.AddField("build", "origins", models.JSONField(null=True))]
