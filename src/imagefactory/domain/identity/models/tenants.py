"""Tables of tenants, memberships and role bindings."""

from __future__ import annotations

from django.db import models

from imagefactory.domain.identity.models.people import User
from imagefactory.domain.identity.permissions import Role
from imagefactory.domain.identity.states import TenantState
from imagefactory.kernel.models import Entity


class Tenant(Entity):
    """What keeps one company, or one part of it, apart from all others: people, projects, images. The capabilities are switched by a system administrator."""

    slug = models.CharField(max_length=40, unique=True)
    name = models.CharField(max_length=120)
    time_zone = models.CharField(max_length=64, default="UTC")
    state = models.CharField(max_length=20, default=TenantState.ACTIVE)
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


class Membership(Entity):
    """That a person belongs to a tenant; what they may do there is said by role bindings."""

    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="+")
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")
    last_active_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["tenant", "user"], name="identity_membership_once")]


class RoleBinding(Entity):
    """A role of a person: owner in the whole tenant, any other role in one project."""

    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="+")
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")
    # Not a foreign key: projects are made above identity, and remove their bindings themselves when deleted.
    project_id = models.UUIDField(null=True)
    role = models.CharField(max_length=20, choices=[(r.value, r.value) for r in Role])

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "user", "project_id"], name="identity_binding_once", nulls_distinct=False
            ),
            models.CheckConstraint(
                condition=models.Q(role=Role.OWNER, project_id__isnull=True)
                | (~models.Q(role=Role.OWNER) & models.Q(project_id__isnull=False)),
                name="identity_owner_is_tenant_wide",
            ),
        ]
        indexes = [models.Index(fields=["user", "tenant"], name="identity_binding_user")]
