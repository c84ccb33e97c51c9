"""The table of API keys."""

from __future__ import annotations

from django.db import models

from imagefactory.domain.identity.models.people import User
from imagefactory.domain.identity.models.tenants import Tenant
from imagefactory.kernel.models import Entity


class ApiKey(Entity):
    """A key for programs. Only its prefix and a hash are kept; it never grants more than its maker has."""

    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="+")
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")
    name = models.CharField(max_length=80)
    prefix = models.CharField(max_length=16, unique=True)
    secret_hash = models.CharField(max_length=64)
    scopes = models.JSONField(default=list)
    expires_at = models.DateTimeField()
    last_used_at = models.DateTimeField(null=True)
    revoked_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [models.Index(fields=["tenant", "user"], name="identity_key_owner")]
