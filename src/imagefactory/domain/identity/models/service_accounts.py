"""The table of service accounts."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.db.models.functions import Lower

from imagefactory.domain.identity.models.people import User
from imagefactory.domain.identity.models.tenants import Tenant
from imagefactory.domain.identity.permissions import Role
from imagefactory.kernel.models import Entity


class ServiceAccount(Entity):
    """Someone who is no person: has keys, no password and no session, and outlives whoever made it."""

    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="+")
    name = models.CharField(max_length=60)
    description = models.CharField(max_length=300, blank=True)
    contact_email = models.EmailField(max_length=254)
    # Either a role or permissions of its own choice.
    role = models.CharField(max_length=20, blank=True, choices=[(r.value, r.value) for r in Role])
    permissions = models.JSONField(default=list)
    # None: the whole tenant. Not foreign keys: projects are made above identity.
    project_ids = ArrayField(models.UUIDField(), null=True)
    # The person who answers for it; when they leave the tenant, it is listed for review.
    keeper = models.ForeignKey(User, on_delete=models.SET_NULL, related_name="+", null=True)
    made_by_name = models.CharField(max_length=200)
    disabled_at = models.DateTimeField(null=True)
    deleted_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                "tenant", Lower("name"), condition=Q(deleted_at__isnull=True), name="identity_service_account_once"
            )
        ]
