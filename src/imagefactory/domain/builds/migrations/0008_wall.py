"""Builds and what belongs to them stand behind the tenants' wall; for `builds_buildtext` see docs/decisions/0010."""

from django.db import migrations

from imagefactory.kernel.wall import TenantWall


class Migration(migrations.Migration):
    dependencies = [("builds", "0007_started_by")]
    operations = [
        TenantWall("builds_build"),
        TenantWall("builds_tenantqueue"),
        TenantWall("builds_execution", through=("build_id", "builds_build")),
        TenantWall("builds_stage", through=("execution_id", "builds_execution")),
        TenantWall("builds_usagesample", through=("execution_id", "builds_execution")),
    ]
