"""Tables of memberships and role bindings."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from imagefactory.domain.identity.models.people import User
from imagefactory.domain.identity.models.roles import CustomRole
from imagefactory.domain.identity.models.tenants import Tenant
from imagefactory.domain.identity.permissions import Role
from imagefactory.kernel.models import Entity


class Membership(Entity):
    """That a person belongs to a tenant; what they may do there is said by role bindings."""

    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="+")
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")
    invited_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    last_active_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["tenant", "user"], name="identity_membership_once")]


class RoleBinding(Entity):
    """A role of a person: owner in the whole tenant, any other built-in role in one project, a custom one by its scope."""

    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="+")
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")
    # Not a foreign key: projects are made above identity, and remove their bindings themselves when deleted.
    project_id = models.UUIDField(null=True)
    # Empty exactly when there is a custom role.
    role = models.CharField(max_length=20, blank=True, choices=[(r.value, r.value) for r in Role])
    custom_role = models.ForeignKey(CustomRole, on_delete=models.RESTRICT, null=True, related_name="+")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "user", "project_id"], name="identity_binding_once", nulls_distinct=False
            ),
            models.CheckConstraint(
                condition=Q(role=Role.OWNER, project_id__isnull=True, custom_role__isnull=True)
                | Q(role__in=[Role.ADMIN, Role.MEMBER, Role.VIEWER], project_id__isnull=False, custom_role__isnull=True)
                | Q(role="", custom_role__isnull=False),
                name="identity_owner_is_tenant_wide",
            ),
        ]
        indexes = [models.Index(fields=["user", "tenant"], name="identity_binding_user")]
