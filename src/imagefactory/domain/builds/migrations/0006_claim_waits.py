"""The claim function anew, as claim.sql has it now: it waits for a tenant that another claimer holds."""

from pathlib import Path

from django.db import migrations

SQL = (Path(__file__).parent / "claim.sql").read_text(encoding="utf-8")


class Migration(migrations.Migration):
    dependencies = [("builds", "0005_build_origins")]
    operations = [migrations.RunSQL(SQL, migrations.RunSQL.noop)]
