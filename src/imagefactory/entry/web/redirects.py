"""Redirects for scripts: a fetch cannot see where it was sent without going there, so it is told in a header."""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from django.utils.http import url_has_allowed_host_and_scheme


def own_address(wanted: str, fallback: str = "/") -> str:
    """Return an address if it is a path of this site, and the fallback for any other: a form may lead nowhere else."""
    own = wanted.startswith("/") and url_has_allowed_host_and_scheme(wanted, allowed_hosts=None)
    return wanted if own else fallback


class RedirectMiddleware:
    """Answers `X-Follow: no` with 204 and `X-Location` where a browser would get a redirect.

    The page is then opened by the browser itself, once, with the messages that it was to show.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        answer = self.get_response(request)
        if request.headers.get("X-Follow") != "no" or answer.status_code not in {301, 302, 303}:
            return answer
        told = HttpResponse(status=204, headers={"X-Location": answer["Location"], "Cache-Control": "no-store"})
        told.cookies = answer.cookies
        return told
