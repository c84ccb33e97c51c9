"""Each request begins and ends with no tenant in scope; who asks is put in scope by `actors.actor_of`."""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

from imagefactory.kernel import scope


class ScopeMiddleware:
    """Stands outermost, so that nothing of one request is left for the next on the same thread and connection."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        scope.clear()
        try:
            return self.get_response(request)
        finally:
            scope.clear()
