"""Tokens and keys: what they open, and that they stop at once."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

import pytest
from django.db import connection
from django.test import Client

from imagefactory.domain.identity import services as people
from imagefactory.domain.identity.models import ApiKey, AuthSession, Membership
from imagefactory.domain.projects.services import create_credential
from imagefactory.kernel.clock import now
from tests.conftest import INLINE, PASSWORD, World


def ask(token: str, path: str = "/projects", method: str = "GET", body: Any = None, **headers: str) -> Any:
    data = b"" if body is None else json.dumps(body)
    return Client(raise_request_exception=False).generic(
        method,
        f"/api/v1{path}",
        data,
        content_type="application/json",
        headers={"Authorization": f"Bearer {token}", **headers},
    )


def session(world: World, role: str = "owner") -> people.Tokens:
    return people.open_session(world.actor(role), world.users[role])


def code(response: Any) -> tuple[int, str]:
    return response.status_code, response.json()["error"]["code"]


def test_a_refresh_token_is_not_an_access_token_nor_the_reverse(world: World) -> None:
    tokens = session(world)
    assert ask(tokens.access).status_code == 200
    assert code(ask(tokens.refresh)) == (401, "unauthorized")
    assert ask("", "/auth/refresh", "POST", {"refresh_token": tokens.access}).status_code == 401


def test_a_refresh_token_works_once_and_retires_the_old_access_token(world: World) -> None:
    tokens = session(world)
    body = {"refresh_token": tokens.refresh}
    again = Client().post("/api/v1/auth/refresh", body, content_type="application/json")
    assert again.status_code == 200
    assert ask(again.json()["access_token"]).status_code == 200
    assert code(ask(tokens.access)) == (401, "unauthorized")
    assert Client().post("/api/v1/auth/refresh", body, content_type="application/json").status_code == 401


def test_signing_out_stops_both_tokens_at_once(world: World) -> None:
    tokens = session(world)
    assert ask(tokens.access, "/auth/logout", "POST").status_code == 204
    assert code(ask(tokens.access)) == (401, "unauthorized")
    body = {"refresh_token": tokens.refresh}
    assert Client().post("/api/v1/auth/refresh", body, content_type="application/json").status_code == 401


def test_a_changed_password_ends_every_api_session(world: World) -> None:
    tokens = session(world)
    people.change_password(world.actor("owner"), old=PASSWORD, new="another horse battery")
    assert code(ask(tokens.access)) == (401, "unauthorized")


def test_a_revoked_key_stops_at_once(world: World) -> None:
    key, text = people.create_api_key(world.actor("owner"), name="ci")
    assert ask(text).status_code == 200
    people.revoke_api_key(world.actor("owner"), key.id)
    assert code(ask(text)) == (401, "unauthorized")


def test_expired_tokens_say_that_they_expired(world: World) -> None:
    tokens = session(world)
    key, text = people.create_api_key(world.actor("owner"), name="ci")
    past = now() - dt.timedelta(seconds=1)
    AuthSession.objects.update(access_expires_at=past)
    ApiKey.objects.filter(id=key.id).update(expires_at=past)
    assert code(ask(tokens.access)) == (401, "token_expired")
    assert code(ask(text)) == (401, "token_expired")


def test_a_key_stops_when_its_owner_leaves_the_tenant(world: World) -> None:
    text = world.token("member")
    assert ask(text, **{"X-Tenant-ID": world.tenant_slug}).status_code == 200
    Membership.objects.filter(tenant_id=world.tenant_id, user_id=world.users["member"]).delete()
    assert code(ask(text)) == (401, "unauthorized")


@pytest.mark.parametrize(
    ("role", "scopes", "status"),
    [
        ("owner", ["project:view", "build:start", "build:view"], 201),
        ("owner", ["project:view"], 403),
        ("viewer", ["project:view", "build:start", "build:view"], 403),
    ],
)
def test_a_key_can_do_what_both_its_scopes_and_its_owner_may(
    world: World, role: str, scopes: list[str], status: int
) -> None:
    _, text = people.create_api_key(world.actor(role), name="scoped", scopes=scopes)
    body = {"project": world.project.slug, "manifest": INLINE}
    assert ask(text, "/builds", "POST", body).status_code == status


def test_a_key_cannot_make_or_revoke_keys(world: World) -> None:
    key, text = people.create_api_key(world.actor("owner"), name="ci")
    assert code(ask(text, "/api-keys", "POST", {"name": "more"})) == (403, "permission_denied")
    assert code(ask(text, f"/api-keys/{key.id}", "DELETE")) == (403, "permission_denied")
    assert ask(session(world).access, "/api-keys", "POST", {"name": "more"}).status_code == 201


def test_a_key_of_one_tenant_does_not_open_another(world: World) -> None:
    text = world.token("owner")
    assert code(ask(text, **{"X-Tenant-ID": world.stranger_slug})) == (404, "not_found")
    assert ask(text, **{"X-Tenant-ID": "never-was"}).status_code == 404
    assert ask(text, **{"X-Tenant-ID": world.tenant_slug}).status_code == 200


def test_a_person_in_two_tenants_must_say_which(world: World) -> None:
    tokens = session(world, "admin")  # their own tenant and the owner's
    assert code(ask(tokens.access)) == (400, "tenant_required")
    assert ask(tokens.access, **{"X-Tenant-ID": world.tenant_slug}).status_code == 200


def test_too_many_wrong_passwords_are_slowed_down_and_say_for_how_long(world: World) -> None:
    body = {"email": "owner@example.com", "password": "wrong"}

    def login() -> Any:
        return Client(raise_request_exception=False).post("/api/v1/auth/login", body, content_type="application/json")

    assert [login().status_code for _ in range(10)] == [401] * 10
    refused = login()
    assert code(refused) == (429, "rate_limited")
    assert 1 <= int(refused["Retry-After"]) <= 900


def _whole_database() -> str:
    """Return the text of every row of every table, with binary columns in both of their forms."""
    found = []
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f'select t::text from "{table}" t')
            found += [row[0] for row in cursor.fetchall()]
    return "\n".join(found)


def test_nothing_secret_stands_in_the_database_in_clear(world: World) -> None:
    owner = world.actor("owner")
    tokens = session(world)
    _, key = people.create_api_key(owner, name="visible-name")
    create_credential(owner, world.project.id, name="NPM", kind="build_secret", secret="hunter2-hunter2")
    text = _whole_database()
    assert "visible-name" in text
    for secret in (PASSWORD, tokens.access, tokens.refresh, key, key.rsplit("_", 1)[1], "hunter2-hunter2"):
        assert secret not in text
        assert secret.encode().hex() not in text
