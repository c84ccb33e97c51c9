"""Who looks at a page that belongs to a person and to no tenant."""

from __future__ import annotations

import uuid

from django.http import HttpRequest

from imagefactory.domain.identity import selectors
from imagefactory.entry.http.actors import actor_of
from imagefactory.kernel.actor import Actor


def person_in_tenant(request: HttpRequest) -> Actor:
    """Return the person, in the tenant that the address names or that they worked in last.

    Raises Unauthorized, and TenantNotFound for a tenant that they do not belong to.
    """
    wanted = request.GET.get("tenant") or request.POST.get("tenant")
    if not wanted and request.user.is_authenticated:
        user_id = uuid.UUID(str(request.user.pk))
        bound = str((request.session.get("sso") or {}).get("bound") or "")
        tenants = [] if bound else selectors.tenants_of(user_id)
        wanted = bound or selectors.last_tenant_slug(user_id) or (tenants[0].slug if tenants else None)
    return actor_of(request, wanted[:64] if wanted else None)
