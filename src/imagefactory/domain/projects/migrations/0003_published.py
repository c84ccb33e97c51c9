"""Projects remember whether an image was ever published under their short name."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('projects', '0002_wall'),
        ('images', '0003_wall'),
    ]

    operations = [
        migrations.AddField(
            model_name='project',
            name='published',
            field=models.BooleanField(default=False),
        ),
        # One statement over all projects, which are few beside builds.
        migrations.RunSQL(
            "update projects_project p set published = true where exists "
            "(select 1 from images_repository r where r.project_id = p.id)",
            migrations.RunSQL.noop,
        ),
    ]
