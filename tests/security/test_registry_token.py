"""The registry's tokens hold what the caller may do of what they ask for, and nothing else."""

from __future__ import annotations

import base64
import uuid
from typing import Any

import jwt
import pytest
from django.test import Client

from imagefactory.domain.identity import services as people
from imagefactory.domain.identity.models import Tenant
from imagefactory.domain.projects.services import create_project
from imagefactory.entry.http.registry import issuer
from imagefactory.kernel.errors import ValidationFailed
from tests.conftest import World


def ask(password: str | None, *scopes: str) -> Any:
    headers = {}
    if password is not None:
        headers["Authorization"] = "Basic " + base64.b64encode(f"any:{password}".encode()).decode()
    client = Client(raise_request_exception=False)
    return client.get("/registry/token", {"service": "imagefactory-registry", "scope": list(scopes)}, headers=headers)


def granted(password: str, *scopes: str) -> dict[str, list[str]]:
    response = ask(password, *scopes)
    assert response.status_code == 200, response.content
    claims = jwt.decode(response.json()["token"], options={"verify_signature": False})
    return {a["name"]: sorted(a["actions"]) for a in claims["access"]}


def path_of(world: World) -> str:
    return f"{world.tenant_slug}/{world.project.slug}"


@pytest.mark.parametrize(
    ("role", "actions"),
    [
        ("owner", ["pull", "push"]),
        ("admin", ["pull", "push"]),
        ("member", ["pull", "push"]),
        ("viewer", ["pull"]),
        ("stranger", None),
    ],
)
def test_a_token_holds_what_the_role_may(world: World, role: str, actions: list[str] | None) -> None:
    path = path_of(world)
    expected = {} if actions is None else {path: actions}
    assert granted(world.token(role), f"repository:{path}:pull,push,delete") == expected


def test_base_images_can_be_pulled_by_everyone_and_pushed_by_nobody(world: World) -> None:
    for role in ("stranger", "viewer", "owner"):
        assert granted(world.token(role), "repository:library/debian:pull,push") == {"library/debian": ["pull"]}


def test_the_whole_registry_is_never_granted(world: World) -> None:
    assert granted(world.token("owner"), "registry:catalog:*") == {}


def test_several_scopes_are_judged_one_by_one(world: World) -> None:
    mine, other = f"repository:{path_of(world)}:pull", f"repository:{world.stranger_slug}/secret:pull"
    assert granted(world.token("viewer"), mine, other) == {path_of(world): ["pull"]}


@pytest.mark.parametrize("password", [None, "", "ifk_00_00", "nonsense"])
def test_who_does_not_sign_in_gets_no_token(world: World, password: str | None) -> None:
    response = ask(password, "repository:library/debian:pull")
    assert response.status_code == 401
    assert "token" not in response.json()


def test_a_revoked_key_gets_no_token(world: World) -> None:
    key, text = people.create_api_key(world.actor("owner"), name="ci")
    assert ask(text).status_code == 200
    people.revoke_api_key(world.actor("owner"), key.id)
    assert ask(text).status_code == 401


def test_a_key_without_the_scope_to_build_cannot_push(world: World) -> None:
    _, text = people.create_api_key(
        world.actor("owner"), name="pull only", scopes=["project:view", "artifact:download"]
    )
    assert granted(text, f"repository:{path_of(world)}:pull,push") == {path_of(world): ["pull"]}


def test_a_tenant_that_may_not_build_can_pull_and_not_push(world: World) -> None:
    Tenant.objects.filter(id=world.tenant_id).update(may_build=False)
    token, path = world.token("owner"), path_of(world)
    assert granted(token, f"repository:{path}:pull") == {path: ["pull"]}
    answer = ask(token, f"repository:{path}:pull,push")
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "tenant_capability_not_entitled")


def test_a_repository_is_named_by_its_projects_short_name_and_not_by_its_id(world: World) -> None:
    """An id in a path would open the repository of whatever project is called like it."""
    assert granted(world.token("member"), f"repository:{world.tenant_slug}/{world.project.id}:pull,push") == {}
    assert granted(world.token("member"), f"repository:{path_of(world)}:pull,push") == {
        path_of(world): ["pull", "push"]
    }


@pytest.mark.parametrize("text", [str(uuid.UUID(int=7)), uuid.UUID(int=7).hex])
def test_a_project_cannot_be_called_like_the_id_of_another(world: World, text: str) -> None:
    with pytest.raises(ValidationFailed):
        create_project(world.actor("owner"), name="Twin", slug=text)


def test_a_dispatchers_grant_opens_one_repository_only(world: World) -> None:
    path = path_of(world)
    grant = issuer().issue_grant("dispatcher", path, ["pull", "push"])
    wanted = [f"repository:{path}:pull,push", "repository:library/debian:pull,push"]
    assert granted(grant, *wanted) == {path: ["pull", "push"]}


def test_an_expired_or_altered_grant_is_worth_nothing(world: World) -> None:
    path = path_of(world)
    assert ask(issuer().issue_grant("dispatcher", path, ["pull"], ttl=-60)).status_code == 401
    good = issuer().issue_grant("dispatcher", path, ["pull"])
    head, body, sign = good.split(".")
    assert ask(".".join((head, body, sign[::-1]))).status_code == 401
    assert ask(good).status_code == 200


def test_a_registry_token_is_not_a_grant(world: World) -> None:
    token = ask(world.token("owner"), f"repository:{path_of(world)}:pull").json()["token"]
    assert ask(token, f"repository:{path_of(world)}:pull").status_code == 401
