"""The administration's routes for each system role, and that no key ever reaches them."""

from __future__ import annotations

import json
import uuid

import pytest
from django.test import Client

from imagefactory.domain.identity import services as people
from imagefactory.domain.identity.models import User
from imagefactory.domain.identity.permissions import SystemRole
from imagefactory.kernel.actor import system
from tests.pages.system_pages import make_administrators
from tests.security.routes import ADMIN_ROUTES
from tests.security.scene import Scene, counted, make_scene

ROLES = ("security_reviewer", "read_only_administrator", "administrator")


@pytest.fixture
def scene(db: None) -> Scene:
    return make_scene()


@pytest.fixture
def holders(scene: Scene) -> dict[str, uuid.UUID]:
    return make_administrators()


def ask(
    scene: Scene, token: str, method: str, path: str, body: object, **headers: str
) -> tuple[int, dict[str, object]]:
    answer = Client(raise_request_exception=False).generic(
        method, "/api/v1" + scene.fill(path), b"" if body is None else json.dumps(scene.fill(body)),
        content_type="application/json", headers={"Authorization": f"Bearer {token}", **headers},
    )  # fmt: skip
    return answer.status_code, json.loads(answer.content or b"{}")


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("route", ADMIN_ROUTES, ids=lambda r: f"{r[0]} {r[1]}")
def test_each_system_role_gets_what_the_table_says(
    scene: Scene, holders: dict[str, uuid.UUID], route: tuple[str, str, str, object], role: str
) -> None:
    method, path, answers, body = route
    token, wanted = people.open_session(system("test"), holders[role]).access, int(answers.split()[ROLES.index(role)])
    before = counted()
    status, found = ask(scene, token, method, path, body)
    assert status == wanted, found
    if wanted == 403:
        assert counted() == before


@pytest.mark.parametrize("route", ADMIN_ROUTES, ids=lambda r: f"{r[0]} {r[1]}")
def test_a_key_of_an_administrator_opens_none_of_them(scene: Scene, route: tuple[str, str, str, object]) -> None:
    owner = scene.world.users["owner"]
    User.objects.filter(id=owner).update(is_system_admin=True)
    key = people.create_api_key(scene.world.actor("owner"), name="k")[1]
    before = counted()
    assert ask(scene, key, route[0], route[1], route[3])[0] == 404
    assert counted() == before


def test_a_stale_change_of_a_tenant_is_told_so(scene: Scene) -> None:
    token, address = scene.tokens["owner"], "/tenants/{tenant}"
    answer = Client().get("/api/v1" + scene.fill(address), headers={"Authorization": f"Bearer {token}"})
    tag = answer["ETag"]
    assert ask(scene, token, "PATCH", address, {"name": "One"}, **{"If-Match": tag})[0] == 200
    status, found = ask(scene, token, "PATCH", address, {"name": "Two"}, **{"If-Match": tag})
    assert (status, found["error"]["code"]) == (412, "precondition_failed")  # type: ignore[index]
    assert ask(scene, token, "PATCH", address, {"name": "Two"}, **{"If-Match": '"x"'})[0] == 400
    status, found = ask(scene, token, "PATCH", address, {"slug": "other"})
    assert status == 422
    assert "names of images" in json.dumps(found)


def test_a_suspended_tenant_answers_reads_and_refuses_writes_with_its_code(scene: Scene) -> None:
    people.grant_system_role(
        system("cli"), scene.world.users["stranger"], SystemRole.ADMINISTRATOR, reason="to suspend"
    )
    assert (
        ask(scene, scene.tokens["stranger"], "POST", "/admin/tenants/{tenant}/suspend", {"reason": "unpaid"})[0] == 204
    )
    token = scene.tokens["owner"]
    assert ask(scene, token, "GET", "/projects", None)[0] == 200
    for method, path, body in (
        ("POST", "/projects", {"name": "More"}), ("PATCH", "/tenants/{tenant}", {"name": "More"}),
        ("POST", "/builds/{build_id}/cancel", None),
    ):  # fmt: skip
        status, found = ask(scene, token, method, path, body)
        assert (status, found["error"]["code"]) == (403, "tenant_suspended"), path  # type: ignore[index]


def test_a_push_into_a_suspended_tenant_is_refused_with_the_reason_and_a_pull_is_not(scene: Scene) -> None:
    import base64

    from imagefactory.domain.identity.models import Tenant

    key = people.create_api_key(scene.world.actor("owner"), name="k")[1]
    basic = {"Authorization": "Basic " + base64.b64encode(f"x:{key}".encode()).decode()}
    repository = f"repository:{scene.world.tenant_slug}/{scene.world.project.slug}"
    browser = Client(raise_request_exception=False)
    Tenant.objects.filter(id=scene.world.tenant_id).update(state="suspended")
    pull = browser.get(f"/registry/token?scope={repository}:pull", headers=basic)
    push = browser.get(f"/registry/token?scope={repository}:pull,push", headers=basic)
    assert (pull.status_code, push.status_code) == (200, 403)
    assert push.json()["error"]["code"] == "tenant_suspended"
    Tenant.objects.filter(id=scene.world.tenant_id).update(state="active", may_build=False)
    push = browser.get(f"/registry/token?scope={repository}:pull,push", headers=basic)
    assert push.json()["error"]["code"] == "tenant_capability_not_entitled"
