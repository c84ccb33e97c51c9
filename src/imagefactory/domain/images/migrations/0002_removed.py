"""Versions that the registry no longer has are marked. Additive."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("images", "0001_initial")]
    operations = [migrations.AddField("imageversion", "removed_at", models.DateTimeField(null=True))]
