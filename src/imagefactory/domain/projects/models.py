"""Tables of projects, their credentials and uploaded archives."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from imagefactory.domain.projects.states import CredentialKind, SourceKind
from imagefactory.kernel.actor import Actor, ActorKind
from imagefactory.kernel.models import Entity


class ProjectQuerySet(models.QuerySet["Project"]):
    def visible_to(self, actor: Actor) -> ProjectQuerySet:
        """Only what this actor may see: projects of their tenant in which they hold `project:view`."""
        rows = self.filter(deleted_at=None)
        if actor.kind is ActorKind.SYSTEM:
            return rows
        rows = rows.filter(tenant_id=actor.tenant)
        within = actor.projects_with("project:view")
        return rows if within is None else rows.filter(id__in=within)


class Project(Entity):
    """What is built. `version` is the ETag of its settings; a deleted project keeps its rows and is seen by nobody."""

    tenant = models.ForeignKey("identity.Tenant", on_delete=models.CASCADE, related_name="+")
    slug = models.CharField(max_length=40)
    name = models.CharField(max_length=120)
    description = models.CharField(max_length=2000, blank=True)
    source_kind = models.CharField(max_length=10, blank=True, choices=[(k.value, k.value) for k in SourceKind])
    source = models.JSONField(default=dict)
    credential = models.ForeignKey("projects.Credential", on_delete=models.SET_NULL, null=True, related_name="+")
    last_build_number = models.PositiveIntegerField(default=0)
    version = models.PositiveIntegerField(default=1)
    # Whether an image was ever in the registry under its short name; then nobody gets the name again.
    published = models.BooleanField(default=False)
    archived_at = models.DateTimeField(null=True)
    deleted_at = models.DateTimeField(null=True)

    objects = ProjectQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "slug"], condition=Q(deleted_at__isnull=True), name="projects_slug_once"
            )
        ]


class Credential(Entity):
    """A secret of a project; only its ciphertext is kept, and its value never returns to a person."""

    project = models.ForeignKey("projects.Project", on_delete=models.CASCADE, related_name="+")
    name = models.CharField(max_length=60)
    kind = models.CharField(max_length=20, choices=[(k.value, k.value) for k in CredentialKind])
    username = models.CharField(max_length=120, blank=True)
    secret = models.BinaryField()
    created_by_name = models.CharField(max_length=120)
    last_used_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["project", "name"], name="projects_credential_once")]


class Upload(Entity):
    """A source archive that was uploaded; its bytes are in the blob store under `digest`."""

    project = models.ForeignKey("projects.Project", on_delete=models.CASCADE, related_name="+")
    filename = models.CharField(max_length=200)
    digest = models.CharField(max_length=71)
    size_bytes = models.BigIntegerField()
    created_by_name = models.CharField(max_length=120)

    class Meta:
        indexes = [models.Index(fields=["project", "-created_at"], name="projects_upload_newest")]
