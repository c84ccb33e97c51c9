"""All addresses of the web process, one door after the other."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.urls import include, path

from imagefactory.entry.api import site as api_site
from imagefactory.entry.http import health, registry_check, registry_events
from imagefactory.entry.http.failures import page_not_found
from imagefactory.entry.web.signin.urls import ALIASES

handler404 = page_not_found


def _not_found(request: HttpRequest, rest: str = "") -> HttpResponse:
    return page_not_found(request)


urlpatterns = [
    path("healthz", health.healthz, name="healthz"),
    path("internal/stream-grant", api_site.stream_grant, name="stream-grant"),
    path("internal/registry-events", registry_events.registry_events, name="registry-events"),
    path("internal/registry-check", registry_check.registry_check, name="registry-check"),
    path("registry/token", api_site.registry_token, name="registry-token"),
    path("api/v1/", api_site.api.urls),
    path("api/docs", api_site.docs, name="api-docs"),
    path("api/<path:rest>", _not_found),
    path("", include("imagefactory.entry.web.urls")),
    # Names that django-allauth asks for; each leads to the page of ours above that has the address.
    *(path(route, _not_found, name=name) for name, route in ALIASES.items()),
]
