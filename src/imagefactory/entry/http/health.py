"""Is the web process alive, and can it reach the database? For the supervisor and load balancers."""

from __future__ import annotations

from django.db import Error, connection
from django.http import HttpRequest, JsonResponse

from imagefactory import __version__


def healthz(request: HttpRequest) -> JsonResponse:
    """Return 200 with the version, or 503 when the database does not answer."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("select 1")
    except Error:
        return JsonResponse({"status": "database away", "version": __version__}, status=503)
    return JsonResponse({"status": "ok", "version": __version__})
