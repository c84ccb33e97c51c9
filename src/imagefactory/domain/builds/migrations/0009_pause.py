"""No build of a paused tenant is claimed: a flag on the queue's row, in its index and in the claim function."""

from pathlib import Path

from django.db import migrations, models


SQL = (Path(__file__).parent / "claim.sql").read_text(encoding="utf-8")


class Migration(migrations.Migration):

    dependencies = [
        ('builds', '0008_wall'),
        ('identity', '0005_tenant_profile_and_decisions'),
    ]

    operations = [
        migrations.RemoveIndex(
            model_name='tenantqueue',
            name='builds_turn',
        ),
        migrations.AddField(
            model_name='tenantqueue',
            name='paused',
            field=models.BooleanField(db_default=False, default=False),
        ),
        migrations.AddIndex(
            model_name='tenantqueue',
            index=models.Index(condition=models.Q(('ready', True), ('paused', False), ('running__lt', models.F('max_running'))), fields=['turn'], name='builds_turn'),
        ),
        migrations.RunSQL(SQL, migrations.RunSQL.noop),
    ]
