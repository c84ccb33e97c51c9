"""Each request gets an id, which stands in its log lines, its errors and its answer."""

from __future__ import annotations

import re
from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

from imagefactory.kernel import ids, telemetry

_GIVEN = re.compile(r"[A-Za-z0-9_-]{8,64}")


class RequestIdMiddleware:
    """Takes the caller's X-Request-ID when it is well-formed, else makes one."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        given = request.headers.get("X-Request-ID", "")
        request_id = given if _GIVEN.fullmatch(given) else ids.token(8)
        request.request_id = request_id  # type: ignore[attr-defined]
        mark = telemetry.request_id.set(request_id)
        try:
            response = self.get_response(request)
        finally:
            telemetry.request_id.reset(mark)
        response["X-Request-ID"] = request_id
        return response
