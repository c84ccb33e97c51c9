"""Tables of repositories, image versions and tags."""

from __future__ import annotations

from django.db import models

from imagefactory.kernel.actor import Actor, ActorKind
from imagefactory.kernel.models import Entity


class RepositoryQuerySet(models.QuerySet["Repository"]):
    def visible_to(self, actor: Actor) -> RepositoryQuerySet:
        """Only repositories of projects in which this actor holds `artifact:view`."""
        rows = self.filter(project__deleted_at=None)
        if actor.kind is ActorKind.SYSTEM:
            return rows
        rows = rows.filter(tenant_id=actor.tenant)
        within = actor.projects_with("artifact:view")
        return rows if within is None else rows.filter(project_id__in=within)


class Repository(Entity):
    """A name in the registry: `<tenant>/<project>` or `<tenant>/<project>/<name>`."""

    tenant = models.ForeignKey("identity.Tenant", on_delete=models.CASCADE, related_name="+")
    project = models.ForeignKey("projects.Project", on_delete=models.CASCADE, related_name="+")
    path = models.CharField(max_length=200, unique=True)
    pushed_at = models.DateTimeField()

    objects = RepositoryQuerySet.as_manager()

    class Meta:
        indexes = [models.Index(fields=["tenant", "-pushed_at"], name="images_repository_newest")]


class ImageVersion(Entity):
    """One digest in a repository, with where it came from."""

    repository = models.ForeignKey(Repository, on_delete=models.CASCADE, related_name="+")
    digest = models.CharField(max_length=71)
    media_type = models.CharField(max_length=120)
    size_bytes = models.BigIntegerField()
    platforms = models.JSONField(default=list)
    config = models.JSONField(default=dict)
    layers = models.JSONField(default=list)
    # What made it, as told by whoever made it: kind, id, number, commit. Images never ask builds.
    origin = models.JSONField(default=dict)
    pushed_by_name = models.CharField(max_length=200)
    pushed_at = models.DateTimeField()
    # When the registry stopped having it; the record of where it came from stays.
    removed_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["repository", "digest"], name="images_digest_once")]
        indexes = [models.Index(fields=["repository", "-pushed_at"], name="images_version_newest")]


class Tag(Entity):
    """A movable name of a version."""

    repository = models.ForeignKey(Repository, on_delete=models.CASCADE, related_name="+")
    version = models.ForeignKey(ImageVersion, on_delete=models.CASCADE, related_name="+")
    name = models.CharField(max_length=128)
    moved_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["repository", "name"], name="images_tag_once")]
