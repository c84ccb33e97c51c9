"""The table of a tenant's own roles."""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Lower

from imagefactory.domain.identity.models.people import User
from imagefactory.domain.identity.models.tenants import Tenant
from imagefactory.domain.identity.states import RoleScope
from imagefactory.kernel.models import Entity


class CustomRole(Entity):
    """A role made by a tenant out of the permissions; `scope` says whether it is held in the tenant or in projects."""

    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="+")
    name = models.CharField(max_length=60)
    description = models.CharField(max_length=500, blank=True)
    scope = models.CharField(max_length=10, choices=[(s.value, s.value) for s in RoleScope])
    permissions = models.JSONField(default=list)
    version = models.PositiveIntegerField(default=1)
    created_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")

    class Meta:
        constraints = [models.UniqueConstraint("tenant", Lower("name"), name="identity_role_name_once")]
