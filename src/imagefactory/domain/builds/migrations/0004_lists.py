"""What lists of builds are narrowed by: indexes, and the text that a search looks through."""

from pathlib import Path

import django.db.models.deletion
from django.db import migrations, models

TEXT = """
insert into builds_buildtext (build_id, words, codes)
select id, upper(name || E'\\n' || commit_message), upper('@' || commit || ' #' || number || ' ') from builds_build
"""
SEARCH = (Path(__file__).parent / "search.sql").read_text(encoding="utf-8")


class Migration(migrations.Migration):
    dependencies = [("builds", "0003_request_digest")]
    operations = [
        migrations.AlterField(
            "build",
            "tenant",
            models.ForeignKey(
                db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name="+", to="identity.tenant"
            ),
        ),
        migrations.AlterField(
            "build",
            "project",
            models.ForeignKey(
                db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name="+", to="projects.project"
            ),
        ),
        migrations.AddIndex("build", models.Index(fields=["tenant", "ref", "-id"], name="builds_by_ref")),
        migrations.AddIndex("build", models.Index(fields=["tenant", "method", "-id"], name="builds_by_method")),
        migrations.AddIndex("build", models.Index(fields=["tenant", "trigger", "-id"], name="builds_by_trigger")),
        migrations.CreateModel(
            "BuildText",
            [
                (
                    "build",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="+",
                        serialize=False,
                        to="builds.build",
                    ),
                ),
                ("words", models.TextField()),
                ("codes", models.TextField()),
            ],
        ),
        migrations.RunSQL(TEXT, migrations.RunSQL.noop),
        migrations.RunSQL(SEARCH, "drop index if exists builds_text"),
    ]
