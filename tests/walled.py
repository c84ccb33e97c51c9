"""The tests' connection is the tables' owner's, whom no wall binds: so a request is served as `app`, as in the factory."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

import psycopg
from django.db import Error, connection
from django.http import HttpRequest, HttpResponse

# Tests of the first wall alone put the second one down: the owner of the tables passes it.
SERVING_ROLE = "app"


@contextlib.contextmanager
def as_role(role: str) -> Iterator[None]:
    """Let the connection act as `role` until the block ends."""
    # By the driver's own cursor, so that tests which count queries count the page's.
    with contextlib.suppress(Error):  # the database may be away, which is then what the test is about
        connection.ensure_connection()
        connection.connection.execute(f'set role "{role}"')
    try:
        yield
    finally:
        # A transaction that failed takes the role back by itself; a lost connection has none.
        with contextlib.suppress(Error, psycopg.Error):
            if connection.connection is not None:
                connection.connection.execute("reset role")


class AppRoleMiddleware:
    """Stands outermost in tests."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        with as_role(SERVING_ROLE):
            return self.get_response(request)
