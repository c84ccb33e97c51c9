"""Repositories, versions and tags stand behind the tenants' wall."""

from django.db import migrations

from imagefactory.kernel.wall import TenantWall


class Migration(migrations.Migration):
    dependencies = [("images", "0002_removed")]
    operations = [
        TenantWall("images_repository"),
        TenantWall("images_imageversion", through=("repository_id", "images_repository")),
        TenantWall("images_tag", through=("repository_id", "images_repository")),
    ]
