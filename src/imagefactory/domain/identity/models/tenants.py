"""The table of tenants."""

from __future__ import annotations

from django.db import models

from imagefactory.domain.identity.states import TenantState
from imagefactory.kernel.models import Entity


class Tenant(Entity):
    """What keeps one company, or one part of it, apart from all others: people, projects, images. The capabilities are switched by a system administrator."""

    slug = models.CharField(max_length=40, unique=True)
    name = models.CharField(max_length=120)
    time_zone = models.CharField(max_length=64, default="UTC")
    state = models.CharField(max_length=20, default=TenantState.ACTIVE)
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
