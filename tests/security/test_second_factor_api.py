"""Second factors, policies and what a person has yet to do, through the API; and two at once."""

from __future__ import annotations

import threading
from typing import Any

import pytest
import time_machine
from allauth.mfa.models import Authenticator
from allauth.mfa.utils import encrypt
from django.db import connection
from django.test import Client

from imagefactory.domain.identity import services
from imagefactory.domain.identity.errors import WrongCode
from imagefactory.domain.identity.models import AuthSession, Tenant, User
from imagefactory.domain.identity.services.codes import take_code
from imagefactory.kernel.actor import system
from imagefactory.kernel.errors import PermissionDenied
from tests.conftest import PASSWORD, World, make_world
from tests.security.test_totp import code

KEY = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"


def ask(method: str, path: str, body: Any = None, token: str = "", **headers: str) -> Any:
    headers |= {"Authorization": f"Bearer {token}"} if token else {}
    client = Client(raise_request_exception=False)
    return client.generic(
        method, f"/api/v1{path}", b"" if body is None else __import__("json").dumps(body),
        content_type="application/json", headers=headers,
    )  # fmt: skip


def give_app(world: World, role: str = "member") -> None:
    data = {"secret": encrypt(KEY)}
    Authenticator.objects.create(user_id=world.users[role], type="totp", data=data)


def login(world: World, role: str = "member") -> Any:
    email = User.objects.get(id=world.users[role]).email
    return ask("POST", "/auth/login", {"email": email, "password": PASSWORD})


def code_of(answer: Any) -> str:
    return str(answer.json()["error"]["code"])


def test_a_password_alone_yields_no_tokens_for_an_account_with_a_second_factor(world: World) -> None:
    give_app(world)
    asked = login(world)
    assert (asked.status_code, code_of(asked)) == (401, "second_factor_required")
    assert not AuthSession.objects.filter(user_id=world.users["member"]).exists()
    challenge = asked.json()["error"]["details"]["challenge"]
    assert ask("POST", "/auth/login/verify", {"challenge": challenge, "code": "000000"}).status_code == 401
    done = ask("POST", "/auth/login/verify", {"challenge": challenge, "code": code(KEY)})
    assert done.status_code == 200
    assert ask("GET", "/auth/me", token=done.json()["access_token"]).status_code == 200
    assert AuthSession.objects.get(user_id=world.users["member"]).how == "password+totp"
    again = ask("POST", "/auth/login/verify", {"challenge": challenge, "code": code(KEY)})
    assert again.status_code == 401


def test_a_challenge_is_short_lived_bound_to_the_password_and_not_forged(world: World) -> None:
    with time_machine.travel("2026-03-02T10:00:00Z", tick=False) as clock:
        give_app(world)
        challenge = login(world).json()["error"]["details"]["challenge"]
        for wrong in ("", "x", challenge[:-2], challenge[::-1], services.begin_app(world.actor("member")).setup):
            answer = ask("POST", "/auth/login/verify", {"challenge": wrong, "code": code(KEY)})
            assert answer.status_code == 401, wrong
        for shift in (601, -700):  # too late; a clock that went back
            clock.shift(shift)
            assert ask("POST", "/auth/login/verify", {"challenge": challenge, "code": code(KEY)}).status_code == 401
        clock.move_to("2026-03-02T10:01:00Z")
        user = User.objects.get(id=world.users["member"])
        user.set_password("another horse battery")
        user.save()
        assert ask("POST", "/auth/login/verify", {"challenge": challenge, "code": code(KEY)}).status_code == 401


def test_a_tenant_that_wants_a_second_factor_refuses_tokens_and_not_keys(world: World) -> None:
    key = world.token("member")
    token = login(world).json()["access_token"]
    Tenant.objects.filter(id=world.tenant_id).update(second_factor_required=True)
    refused = ask("GET", "/projects", token=token, **{"X-Tenant-ID": world.tenant_slug})
    assert (refused.status_code, code_of(refused)) == (403, "second_factor_required")
    assert ask("GET", "/projects", token=key).status_code == 200
    assert ask("GET", "/auth/me", token=token).status_code == 200
    give_app(world)
    assert ask("GET", "/projects", token=token, **{"X-Tenant-ID": world.tenant_slug}).status_code == 200


def test_the_only_tenant_is_refused_too_when_it_is_not_named(world: World) -> None:
    token = login(world, "stranger").json()["access_token"]
    Tenant.objects.filter(slug=world.stranger_slug).update(second_factor_required=True)
    refused = ask("POST", "/api-keys", {"name": "ci"}, token=token)
    assert (refused.status_code, code_of(refused)) == (403, "second_factor_required")


def test_whoever_sets_the_policy_has_a_second_factor(world: World) -> None:
    token = login(world, "owner").json()["access_token"]
    named = {"X-Tenant-ID": world.tenant_slug}
    refused = ask("PUT", "/auth/second-factor-policy", {"required": True}, token=token, **named)
    assert (refused.status_code, code_of(refused)) == (403, "second_factor_required")
    assert not Tenant.objects.get(id=world.tenant_id).second_factor_required
    give_app(world, "owner")
    for _ in range(2):  # safe to repeat
        answer = ask("PUT", "/auth/second-factor-policy", {"required": True}, token=token, **named)
        assert answer.status_code == 204


def test_a_forced_change_answers_428_until_it_is_done(world: World) -> None:
    token = login(world).json()["access_token"]
    services.force_password_change(system("test"), world.users["member"])
    stopped = ask("GET", "/auth/sessions", token=token)
    assert (stopped.status_code, code_of(stopped)) == (428, "password_change_required")
    body = {"old_password": PASSWORD, "new_password": "another horse battery"}
    assert ask("POST", "/auth/password", body, token=token).status_code == 204
    assert ask("GET", "/auth/sessions", token=token).status_code == 401  # the sign-in ended with the old password
    assert not User.objects.get(id=world.users["member"]).must_change_password


@pytest.mark.parametrize("role", ["owner", "member"])
def test_only_administrators_decide_about_the_sign_in_of_others(world: World, role: str) -> None:
    for decide in (services.force_password_change, services.unlock_sign_in, services.remove_second_factors):
        with pytest.raises(PermissionDenied):
            decide(world.actor(role), world.users["viewer"])


def test_an_administrator_takes_second_factors_from_someone_who_lost_them(world: World) -> None:
    give_app(world)
    services.remove_second_factors(system("test"), world.users["member"])
    assert login(world).status_code == 200


@pytest.mark.committed
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("kind", ["totp", "recovery_code"])
def test_of_two_at_once_with_one_code_one_gets_in(kind: str) -> None:
    world = make_world()
    member = world.users["member"]
    give_app(world)
    typed = code(KEY)
    if kind == "recovery_code":
        typed = services.new_recovery_codes(world.actor("member"))[0]
    results: list[str] = []
    gate = threading.Barrier(4)

    def enter() -> None:
        gate.wait()
        try:
            results.append(take_code(member, typed))
        except WrongCode:
            results.append("wrong")
        finally:
            connection.close()

    threads = [threading.Thread(target=enter) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(results) == sorted([kind, "wrong", "wrong", "wrong"])
