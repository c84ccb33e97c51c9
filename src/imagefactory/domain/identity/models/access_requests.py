"""The table of requests for access."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from imagefactory.domain.identity.models.people import User
from imagefactory.domain.identity.models.tenants import Tenant
from imagefactory.domain.identity.states import AccessRequestState
from imagefactory.kernel.models import Entity


class AccessRequest(Entity):
    """That a member asked for a permission, in a project or in the whole tenant."""

    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="+")
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")
    permission = models.CharField(max_length=40)
    project_id = models.UUIDField(null=True)
    message = models.CharField(max_length=500, blank=True)
    state = models.CharField(max_length=10, default=AccessRequestState.OPEN)
    decided_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    decided_at = models.DateTimeField(null=True)
    reason = models.CharField(max_length=500, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "user", "permission", "project_id"], name="identity_asked_once",
                condition=Q(state=AccessRequestState.OPEN), nulls_distinct=False,
            ),
        ]  # fmt: skip
        indexes = [models.Index(fields=["tenant", "state", "-id"], name="identity_asked_newest")]
