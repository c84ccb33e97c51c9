"""Signing in with a second factor, and what protects an account, through the pages."""

from __future__ import annotations

import re
from typing import Any

import pytest
import time_machine
from allauth.mfa.models import Authenticator
from django.test import Client

from imagefactory.domain.identity import selectors, services
from imagefactory.domain.identity.models import AuthSession, Tenant, User
from imagefactory.kernel.actor import system
from imagefactory.kernel.outbox.models import OutboxEvent
from tests.conftest import PASSWORD, World
from tests.security.test_totp import code

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


def email_of(world: World, role: str = "member") -> str:
    return str(User.objects.get(id=world.users[role]).email)


def post(browser: Client, path: str, **form: str) -> Any:
    return browser.post(path, form, headers={"User-Agent": FIREFOX})


def sign_in(browser: Client, world: World, role: str = "member", **more: str) -> Any:
    return post(browser, "/login", email=email_of(world, role), password=PASSWORD, **more)


def set_up_app(browser: Client, at: float | None = None) -> tuple[str, list[str]]:
    """Set up an authenticator app through the pages; returns its key and the recovery codes."""
    page = browser.get("/me/security/app").content.decode()
    found = re.search(r'name="setup" value="([^"]+)"', page)
    key = re.search(r"<code>([A-Z2-7]{32})</code>", page) or re.search(r">([A-Z2-7]{32})<", page)
    assert found, page
    assert key, page
    assert "<svg" in page
    answer = post(browser, "/me/security/app", setup=found[1], code=code(key[1], at))
    shown = answer.content.decode()
    codes = re.findall(r"<code>(\d{4}-\d{4})</code>", shown)
    assert len(codes) == 10, shown
    return key[1], codes


@pytest.fixture
def clock() -> Any:
    with time_machine.travel("2026-03-02T10:00:00Z", tick=False) as traveller:
        yield traveller


@pytest.fixture
def with_app(clock: Any, world: World) -> tuple[str, list[str]]:
    """The member has an authenticator app; the next code is a new one."""
    browser = Client()
    sign_in(browser, world)
    made = set_up_app(browser)
    clock.shift(60)
    return made


def test_a_password_signs_in_and_the_event_says_how_and_where(world: World) -> None:
    browser = Client()
    answer = sign_in(browser, world, next=f"/t/{world.tenant_slug}/builds")
    assert answer.status_code == 302
    assert answer["Location"] == f"/t/{world.tenant_slug}/builds"
    event = OutboxEvent.objects.get(type="member.signed_in")
    session = AuthSession.objects.get(user_id=world.users["member"], kind="browser")
    assert event.payload == {
        "user_id": str(world.users["member"]), "how": "password", "session_id": str(session.id),
        "device": "Firefox on Linux", "new_device": False,
    }  # fmt: skip
    assert browser.get(f"/t/{world.tenant_slug}/builds").status_code == 200


def test_signing_in_gives_the_session_a_new_key(world: World) -> None:
    browser = Client()
    sign_in(browser, world, "viewer")
    before = browser.cookies["session"].value
    sign_in(browser, world)
    assert browser.cookies["session"].value != before


def test_the_password_alone_opens_nothing_with_a_second_factor(world: World, with_app: tuple[str, list[str]]) -> None:
    browser = Client()
    answer = sign_in(browser, world, next=f"/t/{world.tenant_slug}/builds")
    assert answer["Location"] == "/login/verify"
    assert browser.get(f"/t/{world.tenant_slug}/")["Location"].startswith("/login")
    assert not AuthSession.objects.filter(kind="browser", revoked_at=None, how="password+totp").exists()
    wrong = post(browser, "/login/verify", code="000000")
    assert wrong.status_code == 422
    assert "wrong, too old" in wrong.content.decode()
    right = post(browser, "/login/verify", code=code(with_app[0]))
    assert right["Location"] == f"/t/{world.tenant_slug}/builds"
    assert browser.get(f"/t/{world.tenant_slug}/builds").status_code == 200
    assert OutboxEvent.objects.filter(type="member.signed_in").latest("seq").payload["how"] == "password+totp"
    refused = OutboxEvent.objects.filter(type="member.sign_in_refused").latest("seq").payload
    assert refused["reason"] == "wrong_code"


def test_a_code_signs_in_once_in_whichever_tab_comes_first(world: World, with_app: tuple[str, list[str]]) -> None:
    first, second = Client(), Client()
    for browser in (first, second):
        sign_in(browser, world)
    now = code(with_app[0])
    assert post(first, "/login/verify", code=now).status_code == 302
    assert post(second, "/login/verify", code=now).status_code == 422


def test_an_older_code_is_refused_after_a_newer_one(world: World, clock: Any, with_app: tuple[str, list[str]]) -> None:
    old = code(with_app[0])
    clock.shift(30)
    first, second = Client(), Client()
    for browser in (first, second):
        sign_in(browser, world)
    assert post(first, "/login/verify", code=code(with_app[0])).status_code == 302
    assert post(second, "/login/verify", code=old).status_code == 422


@pytest.mark.parametrize("spelled", ["{}", "{} ", "{0:.3} {1}"])
def test_people_may_group_the_digits(world: World, with_app: tuple[str, list[str]], spelled: str) -> None:
    browser, now = Client(), code(with_app[0])
    sign_in(browser, world)
    typed = f"{now[:3]} {now[3:]}" if "1" in spelled else spelled.format(now)
    assert post(browser, "/login/verify", code=typed).status_code == 302


def test_a_recovery_code_signs_in_once_and_new_ones_end_the_old(world: World, with_app: tuple[str, list[str]]) -> None:
    codes = with_app[1]
    browser = Client()
    sign_in(browser, world)
    assert post(browser, "/login/verify", code=codes[3]).status_code == 302
    assert OutboxEvent.objects.filter(type="member.signed_in").latest("seq").payload["how"] == "password+recovery_code"
    again = Client()
    sign_in(again, world)
    assert post(again, "/login/verify", code=codes[3]).status_code == 422
    assert "9 of 10 codes are unused" in browser.get("/me/security").content.decode()
    made = re.findall(r"<code>(\d{4}-\d{4})</code>", post(browser, "/me/security/codes").content.decode())
    assert len(set(made) - set(codes)) == 10
    assert post(again, "/login/verify", code=codes[4]).status_code == 422
    assert post(again, "/login/verify", code=made[0]).status_code == 302


def test_codes_cannot_be_guessed_on_and_on(world: World, clock: Any, with_app: tuple[str, list[str]]) -> None:
    browser = Client()
    sign_in(browser, world)
    for _ in range(10):
        assert post(browser, "/login/verify", code="000000").status_code == 422
    stopped = post(browser, "/login/verify", code=code(with_app[0]))
    assert stopped.status_code == 429
    assert "Try again in" in stopped.content.decode()
    elsewhere = Client()
    sign_in(elsewhere, world)
    assert post(elsewhere, "/login/verify", code=code(with_app[0])).status_code == 429


def test_the_step_between_ends_after_ten_minutes(world: World, clock: Any, with_app: tuple[str, list[str]]) -> None:
    browser = Client()
    sign_in(browser, world)
    assert browser.get("/login/verify").status_code == 200
    clock.shift(601)
    assert browser.get("/login/verify")["Location"] == "/login"
    assert post(browser, "/login/verify", code=code(with_app[0]))["Location"] == "/login"


def test_the_key_of_an_app_is_encrypted_and_the_page_is_bound_to_its_person(world: World) -> None:
    mine, other = Client(), Client()
    sign_in(mine, world)
    sign_in(other, world, "viewer")
    page = other.get("/me/security/app").content.decode()
    foreign = re.search(r'name="setup" value="([^"]+)"', page)
    assert foreign
    key, _ = set_up_app(mine)
    row = Authenticator.objects.get(user_id=world.users["member"], type="totp")
    assert key not in str(row.data)
    Authenticator.objects.filter(user_id=world.users["member"]).delete()
    answer = post(mine, "/me/security/app", setup=foreign[1], code="123456")
    assert answer.status_code == 422
    assert "open for too long" in answer.content.decode()


def test_a_second_app_is_refused_and_the_first_stays(world: World) -> None:
    browser = Client()
    sign_in(browser, world)
    pages = [browser.get("/me/security/app").content.decode() for _ in range(2)]  # two tabs
    answers = []
    for page in pages:
        setup, key = re.search(r'name="setup" value="([^"]+)"', page), re.search(r">([A-Z2-7]{32})<", page)
        assert setup
        assert key
        answers.append(post(browser, "/me/security/app", setup=setup[1], code=code(key[1])))
    assert [a.status_code for a in answers] == [200, 422]
    assert "has an authenticator app already" in answers[1].content.decode()


def test_what_protects_the_account_asks_for_the_password_again(world: World, clock: Any, with_app: Any) -> None:
    browser = Client()
    sign_in(browser, world)
    post(browser, "/login/verify", code=code(with_app[0]))
    clock.shift(901)
    factor = Authenticator.objects.get(user_id=world.users["member"], type="totp").pk
    path = f"/me/security/{factor}/remove"
    assert 'name="password"' in browser.get(path).content.decode()
    assert post(browser, path, password="not this one").status_code == 422
    assert Authenticator.objects.filter(pk=factor).exists()
    before = browser.cookies["session"].value
    assert post(browser, path, password=PASSWORD).status_code == 302
    assert browser.cookies["session"].value != before
    assert not Authenticator.objects.filter(user_id=world.users["member"]).exists()
    assert browser.get("/me/security").status_code == 200


def test_nobody_touches_the_second_factor_of_another(world: World, with_app: Any) -> None:
    factor = Authenticator.objects.get(user_id=world.users["member"], type="totp").pk
    browser = Client()
    sign_in(browser, world, "owner")
    for path in (f"/me/security/{factor}/remove", f"/me/security/{factor}/rename"):
        assert browser.get(path).status_code == 404
        assert post(browser, path, name="x").status_code == 404
    assert Authenticator.objects.filter(pk=factor).exists()


def test_a_tenant_may_want_a_second_factor_and_others_are_unaffected(world: World) -> None:
    owner = Client()
    sign_in(owner, world, "owner")
    set_up_app(owner)
    boss = world.actor("owner")
    services.require_second_factor(boss, required=True)
    browser = Client()
    sign_in(browser, world)
    own = selectors.tenants_of(world.users["member"])
    other = next(t.slug for t in own if t.slug != world.tenant_slug)
    assert browser.get(f"/t/{other}/").status_code == 200
    shut = browser.get(f"/t/{world.tenant_slug}/")
    assert shut["Location"] == f"/me/security/required?tenant={world.tenant_slug}"
    leading = browser.get(shut["Location"]).content.decode()
    assert "Set up an authenticator app" in leading
    key = Client().get("/api/v1/projects", headers={"Authorization": f"Bearer {_key(world)}"})
    assert key.status_code == 200
    set_up_app(browser)
    assert browser.get(f"/t/{world.tenant_slug}/").status_code == 200
    event = OutboxEvent.objects.get(type="tenant.second_factor_policy_set")
    assert event.payload == {"before": False, "after": True}


def test_an_owner_switches_the_rule_on_once_they_follow_it_themselves(world: World) -> None:
    owner, path = Client(), f"/t/{world.tenant_slug}/settings/sign-in"
    sign_in(owner, world, "owner")
    refused = post(owner, path, required="", second_factor="1")
    assert refused.status_code == 422
    assert "Set one up in your account first" in refused.content.decode()
    set_up_app(owner)
    assert post(owner, path, required="", second_factor="1").status_code == 302
    assert Tenant.objects.get(id=world.tenant_id).second_factor_required
    assert re.search(r'name="second_factor" value="1" checked', owner.get(path).content.decode())
    assert post(owner, path, required="").status_code == 302
    assert not Tenant.objects.get(id=world.tenant_id).second_factor_required


def _key(world: World) -> str:
    Tenant.objects.filter(id=world.tenant_id).update(second_factor_required=False)
    made = services.create_api_key(world.actor("member"), name="ci")[1]
    Tenant.objects.filter(id=world.tenant_id).update(second_factor_required=True)
    return made


def test_a_forced_change_of_password_comes_before_everything(world: World) -> None:
    services.force_password_change(system("test"), world.users["member"])
    browser = Client()
    sign_in(browser, world)
    for path in (f"/t/{world.tenant_slug}/", "/me/profile", "/me/keys", "/me/sessions"):
        assert browser.get(path)["Location"] == "/login/change-password"
    api = browser.get("/api/v1/projects")
    assert (api.status_code, api.json()["error"]["code"]) == (428, "password_change_required")
    same = post(browser, "/login/change-password", old_password=PASSWORD, new_password=PASSWORD)
    assert same.status_code == 422
    done = post(browser, "/login/change-password", old_password=PASSWORD, new_password="another horse battery")
    assert done["Location"] == "/"
    assert browser.get(f"/t/{world.tenant_slug}/").status_code == 200
    assert OutboxEvent.objects.get(type="member.password_changed").payload["how"] == "forced_change"
