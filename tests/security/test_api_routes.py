"""Every API route, asked for real by every role; refusals change nothing, and hide what a stranger may not know."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from django.test import Client

from imagefactory.domain.identity.models import User
from imagefactory.entry.api.site import api
from tests.security.routes import ROLES, ROUTES, Route
from tests.security.scene import Scene, counted, make_scene

WRITES = [r for r in ROUTES if r.method != "GET" and not r.path.startswith("/auth/") and r.status("owner") < 300]


@pytest.fixture
def scene(db: None) -> Scene:
    return make_scene()


def _name(route: Route) -> str:
    return f"{route.method} {route.path}"


def _shape(method: str, path: str) -> tuple[str, str]:
    """Return a route with its parameters' names left out, as the document and the table name them apart."""
    return method.upper(), re.sub(r"\{[^}]+\}", "{}", path.partition("?")[0].removeprefix("/api/v1"))


def test_every_operation_of_the_api_has_a_row_and_every_row_an_operation() -> None:
    document = api.get_openapi_schema()
    real = {_shape(m, path) for path, operations in document["paths"].items() for m in operations}
    assert real == {_shape(r.method, r.path) for r in ROUTES}


def test_every_operation_states_the_permission_it_needs() -> None:
    for path, operations in api.get_openapi_schema()["paths"].items():
        for method, operation in operations.items():
            assert operation.get("x-permission"), f"{method} {path}"


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("route", ROUTES, ids=_name)
def test_a_route_answers_each_role_as_the_table_says(scene: Scene, route: Route, role: str) -> None:
    before = counted()
    response = scene.ask(role, route)
    assert response.status_code == route.status(role), b"".join(response)[:500]
    if response.status_code >= 400:
        assert counted() == before
        error = response.json()["error"]
        assert set(error) == {"code", "message", "details", "request_id"}
        assert error["message"].endswith(".")


def _without_request_id(response: Any) -> bytes:
    body = json.loads(response.content)
    return bytes(response.content).replace(body["error"]["request_id"].encode(), b"-")


@pytest.mark.parametrize("route", [r for r in ROUTES if r.hides], ids=_name)
def test_a_stranger_cannot_tell_what_exists_from_what_never_did(scene: Scene, route: Route) -> None:
    real = scene.ask("stranger", route)
    never = scene.ask("stranger", route, **scene.nothing())
    assert real.status_code == never.status_code == 404
    assert _without_request_id(real) == _without_request_id(never)


def _with_cookie(scene: Scene, route: Route, *, token: bool) -> Any:
    client = Client(enforce_csrf_checks=True, raise_request_exception=False)
    client.force_login(User.objects.get(id=scene.world.users["owner"]))
    headers = {}
    if token:
        from django.middleware.csrf import _get_new_csrf_string

        secret = _get_new_csrf_string()
        client.cookies["csrftoken"] = secret
        headers["X-CSRFToken"] = secret
    names = scene.names_for(route)
    url = "/api/v1" + scene.fill(route.path, **names)
    if route.upload:
        from django.core.files.uploadedfile import SimpleUploadedFile

        return client.post(url, {"archive": SimpleUploadedFile("a.tar", b"x")}, headers=headers)
    body = b"" if route.body is None else json.dumps(scene.fill(route.body, **names))
    return client.generic(route.method, url, body, content_type="application/json", headers=headers)


@pytest.mark.parametrize("route", WRITES, ids=_name)
def test_a_browser_session_writes_only_with_the_forgery_token(scene: Scene, route: Route) -> None:
    before = counted()
    refused = _with_cookie(scene, route, token=False)
    assert refused.status_code == 403
    assert refused.json()["error"]["code"] == "permission_denied"
    assert counted() == before
    assert _with_cookie(scene, route, token=True).status_code == route.status("owner")


def test_a_browser_session_reads_without_the_forgery_token(scene: Scene) -> None:
    route = next(r for r in ROUTES if r.key == ("GET", "/projects"))
    assert _with_cookie(scene, route, token=False).status_code == 200
