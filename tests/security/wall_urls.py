"""Views that forget what every view must not: the selectors, the scope, or that a stream outlives its request."""

from __future__ import annotations

from django.db import transaction
from django.http import HttpRequest, HttpResponse, JsonResponse, StreamingHttpResponse
from django.urls import path

from imagefactory.domain.builds.models import Build
from imagefactory.entry.http.actors import actor_of
from imagefactory.entry.urls import handler404 as handler404  # noqa: PLC0414 - Django looks for it here
from imagefactory.kernel import scope
from imagefactory.kernel.errors import Conflict
from tests.security.walls import keys, walled


def everything(request: HttpRequest, tenant: str) -> HttpResponse:
    actor_of(request, tenant)
    return JsonResponse({table: sorted(keys(table)) for table in walled()})


def forgotten(request: HttpRequest) -> HttpResponse:
    return JsonResponse({"builds": [str(b.id) for b in Build.objects.all()]})


def failing(request: HttpRequest, tenant: str, how: str) -> HttpResponse:
    actor_of(request, tenant)
    with transaction.atomic():
        assert Build.objects.exists()
        if how == "refused":
            raise Conflict("No.")
        if how == "sql":
            Build.objects.update(number=-1)
        raise RuntimeError(how)


def streaming(request: HttpRequest, tenant: str, how: str) -> StreamingHttpResponse:
    actor_of(request, tenant)
    rows = (f"{b.id}\n".encode() for b in Build.objects.order_by("id").iterator())
    return StreamingHttpResponse(scope.carried(rows) if how == "carried" else rows)


urlpatterns = [
    path("everything/<str:tenant>", everything),
    path("forgotten", forgotten),
    path("failing/<str:tenant>/<str:how>", failing),
    path("streaming/<str:tenant>/<str:how>", streaming),
]
