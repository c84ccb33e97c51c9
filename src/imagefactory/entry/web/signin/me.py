"""Who looks at their own account, in whose frame."""

from __future__ import annotations

import uuid
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from imagefactory.domain.identity import selectors
from imagefactory.domain.identity.errors import SecondFactorRequired, SignInRequired
from imagefactory.entry.http.actors import actor_of
from imagefactory.kernel.actor import Actor


def own_actor(request: HttpRequest, *, strict: bool = False) -> Actor:
    """Return the person, in the tenant that the address names or that they worked in last.

    In none while that one is shut to people without a second factor: their account is where they set one up. `strict` is for
    what belongs to the tenant, and raises SecondFactorRequired then.
    """
    wanted = request.GET.get("tenant") or request.POST.get("tenant")
    if not wanted and request.user.is_authenticated:
        user_id = uuid.UUID(str(request.user.pk))
        bound = str((request.session.get("sso") or {}).get("bound") or "")
        tenants = [] if bound else selectors.tenants_of(user_id)
        wanted = bound or selectors.last_tenant_slug(user_id) or (tenants[0].slug if tenants else None)
    try:
        return actor_of(request, wanted[:64] if wanted else None)
    except (SecondFactorRequired, SignInRequired):
        if strict:
            raise
        return actor_of(request)


def back(actor: Actor, section: str) -> HttpResponse:
    """Return the way to a section of the account, in the same frame."""
    query = f"?{urlencode({'tenant': actor.tenant_slug})}" if actor.tenant_slug else ""
    return redirect(f"/me/{section}{query}")
