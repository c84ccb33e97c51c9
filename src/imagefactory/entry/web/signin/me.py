"""Who looks at their own account, in whose frame."""

from __future__ import annotations

from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from imagefactory.domain.identity.errors import SecondFactorRequired, SignInRequired
from imagefactory.entry.http.actors import actor_of
from imagefactory.entry.web.persons import person_in_tenant
from imagefactory.kernel.actor import Actor


def own_actor(request: HttpRequest) -> Actor:
    """Return the person, in the tenant that the address names or that they worked in last.

    In none while that one is shut to people without a second factor: their account is where they set one up.
    """
    try:
        return person_in_tenant(request)
    except (SecondFactorRequired, SignInRequired):
        return actor_of(request)


def back(actor: Actor, section: str) -> HttpResponse:
    """Return the way to a section of the account, in the same frame."""
    query = f"?{urlencode({'tenant': actor.tenant_slug})}" if actor.tenant_slug else ""
    return redirect(f"/me/{section}{query}")
