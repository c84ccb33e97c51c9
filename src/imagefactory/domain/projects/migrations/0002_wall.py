"""Projects, their credentials and uploads stand behind the tenants' wall."""

from django.db import migrations

from imagefactory.kernel.wall import TenantWall


class Migration(migrations.Migration):
    dependencies = [("projects", "0001_initial")]
    operations = [
        TenantWall("projects_project"),
        TenantWall("projects_credential", through=("project_id", "projects_project")),
        TenantWall("projects_upload", through=("project_id", "projects_project")),
    ]
