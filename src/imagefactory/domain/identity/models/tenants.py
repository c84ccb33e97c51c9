"""The table of tenants."""

from __future__ import annotations

from django.db import models

from imagefactory.domain.identity.states import ExportStatus, TenantState
from imagefactory.kernel.models import Entity


class Tenant(Entity):
    """What keeps one company, or one part of it, apart from all others: people, projects, images. The capabilities are switched by a system administrator."""

    slug = models.CharField(max_length=40, unique=True)
    name = models.CharField(max_length=120)
    time_zone = models.CharField(max_length=64, default="UTC")
    language = models.CharField(max_length=8, default="en")
    contact_email = models.EmailField(max_length=254, blank=True, default="")
    # Where members ask for help; refusals in the team name it.
    support_email = models.EmailField(max_length=254, blank=True, default="")
    # The ETag of the profile.
    version = models.PositiveIntegerField(default=1)
    state = models.CharField(max_length=20, default=TenantState.ACTIVE)
    # What a stopped deletion goes back to; empty in every other state.
    state_before = models.CharField(max_length=20, blank=True, default="")
    state_reason = models.CharField(max_length=500, blank=True, default="")
    # When a team that is being deleted is removed for good.
    delete_after = models.DateTimeField(null=True)
    # Members come through an identity provider; owners may still use their password, so that nobody is locked out.
    requires_sso = models.BooleanField(default=False)
    second_factor_required = models.BooleanField(default=False)
    may_build = models.BooleanField(default=True)
    may_quarantine_request = models.BooleanField(default=False)
    may_quarantine_release = models.BooleanField(default=False)
    may_ondemand_image_scanning = models.BooleanField(default=False)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(slug__regex=r"^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$"),
                name="identity_tenant_slug",
            )
        ]


class TenantLogo(models.Model):
    """The picture of a tenant, checked by its content; in a table of its own, since lists of tenants do without it."""

    tenant = models.OneToOneField(Tenant, on_delete=models.CASCADE, primary_key=True, related_name="+")
    media_type = models.CharField(max_length=20)
    digest = models.CharField(max_length=64)
    content = models.BinaryField()


class TenantDecision(Entity):
    """One switch of a capability or change of state by someone: before, after, why. Shown as the tenant's history."""

    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="+")
    what = models.CharField(max_length=40)
    before = models.CharField(max_length=20)
    after = models.CharField(max_length=20)
    reason = models.CharField(max_length=500)
    by_id = models.UUIDField(null=True)
    by_name = models.CharField(max_length=200)

    class Meta:
        indexes = [models.Index(fields=["tenant", "-created_at"], name="identity_decision_newest")]


class TenantExport(Entity):
    """An archive of what a tenant has, made by a job; its bytes are in the blob store under `digest`."""

    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="+")
    status = models.CharField(max_length=10, choices=[(s.value, s.value) for s in ExportStatus])
    requested_by_name = models.CharField(max_length=200)
    digest = models.CharField(max_length=71, blank=True, default="")
    size_bytes = models.BigIntegerField(default=0)
    failure = models.CharField(max_length=300, blank=True, default="")
    ready_at = models.DateTimeField(null=True)
    expires_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            # One at a time: a second request joins the one that is being made.
            models.UniqueConstraint(
                fields=["tenant"], condition=models.Q(status=ExportStatus.WAITING), name="identity_export_once"
            )
        ]
        indexes = [models.Index(fields=["tenant", "-created_at"], name="identity_export_newest")]


class RetiredSlug(models.Model):
    """A short name of a tenant that was removed: its images may be in use, so nobody gets the name again."""

    slug = models.CharField(max_length=40, primary_key=True)
    tenant_id = models.UUIDField()
    retired_at = models.DateTimeField()
