"""The digest of the request that an idempotency key came with."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("builds", "0002_queue")]
    operations = [
        migrations.AddField("build", "request_digest", models.CharField(blank=True, default="", max_length=64)),
    ]
