"""The table of networks that a tenant lets requests come from."""

from __future__ import annotations

from django.db import models

from imagefactory.domain.identity.models.tenants import Tenant
from imagefactory.kernel.models import Entity


class IpList(Entity):
    """One tenant's list, in one row, so that it is read along with the tenant and costs no query of its own.

    `networks` holds `{"cidr": ..., "note": ...}`; an empty list lets everyone in. `version` tells two editors apart.
    """

    tenant = models.OneToOneField(Tenant, on_delete=models.CASCADE, related_name="ip_list")
    networks = models.JSONField(default=list)
    for_sessions = models.BooleanField(default=False)
    version = models.PositiveIntegerField(default=1)
