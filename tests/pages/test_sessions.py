"""Open sign-ins: listed, ended, timed out; and the history."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
import time_machine
from django.contrib.sessions.backends.db import SessionStore
from django.test import Client

from imagefactory.domain.identity import services
from imagefactory.domain.identity.models import AuthSession, User
from imagefactory.kernel.outbox.models import OutboxEvent
from tests.conftest import PASSWORD, World
from tests.pages.test_sign_in import email_of, post, sign_in

HOUR = dt.timedelta(hours=1)


def _api(world: World, **headers: str) -> dict[str, str]:
    answer = Client().post(
        "/api/v1/auth/login",
        {"email": email_of(world), "password": PASSWORD},
        content_type="application/json",
        headers=headers,
    )
    assert answer.status_code == 200, answer.content
    return dict(answer.json())


def _me(token: str) -> int:
    return int(Client().get("/api/v1/auth/me", headers={"Authorization": f"Bearer {token}"}).status_code)


def test_sign_ins_are_listed_with_device_and_this_one_first(world: World) -> None:
    browser = Client()
    sign_in(browser, world)
    _api(world, **{"User-Agent": "imagefactory/0.1"})
    page = browser.get("/me/sessions").content.decode()
    assert page.index("Firefox on Linux") < page.index("Image Factory command line")
    assert page.count("This one") == 1


@pytest.mark.parametrize("kind", ["browser", "api"])
def test_an_ended_sign_in_opens_nothing_from_the_next_request_on(world: World, kind: str) -> None:
    browser, other = Client(), Client()
    sign_in(browser, world)
    sign_in(other, world)
    tokens = _api(world)
    rows = AuthSession.objects.filter(user_id=world.users["member"], kind=kind).order_by("-id")
    assert post(browser, f"/me/sessions/{rows[0].id}/end").status_code == 302
    if kind == "browser":
        assert other.get("/me/profile")["Location"].startswith("/login")
        assert other.get("/internal/stream-grant?path=/live").status_code == 401
    else:
        assert _me(tokens["access_token"]) == 401
        refused = Client().post(
            "/api/v1/auth/refresh", {"refresh_token": tokens["refresh_token"]}, content_type="application/json"
        )
        assert refused.status_code == 401
    event = OutboxEvent.objects.get(type="member.sessions_ended")
    assert event.payload["session_ids"] == [str(rows[0].id)]  # with user_id, which ends the grants of open streams
    assert event.payload["user_id"] == str(world.users["member"])
    assert browser.get("/me/profile").status_code == 200


def test_all_other_sign_ins_end_together(world: World) -> None:
    browser, other = Client(), Client()
    sign_in(browser, world)
    sign_in(other, world)
    token = _api(world)["access_token"]
    assert post(browser, "/me/sessions/end-others").status_code == 302
    assert browser.get("/me/profile").status_code == 200
    assert other.get("/me/profile").status_code == 302
    assert _me(token) == 401


def test_nobody_ends_the_sign_in_of_another(world: World) -> None:
    browser, other = Client(), Client()
    sign_in(browser, world)
    sign_in(other, world, "owner")
    row = AuthSession.objects.get(user_id=world.users["owner"], kind="browser")
    assert post(browser, f"/me/sessions/{row.id}/end").status_code == 404
    assert other.get("/me/profile").status_code == 200


def test_signing_out_ends_the_row_and_says_so(world: World) -> None:
    browser = Client()
    sign_in(browser, world)
    post(browser, "/logout")
    assert not AuthSession.objects.filter(user_id=world.users["member"], revoked_at=None).exists()
    assert OutboxEvent.objects.filter(type="member.signed_out").count() == 1


def test_a_copied_cookie_ends_with_its_sign_in(world: World) -> None:
    browser, copy = Client(), Client()
    sign_in(browser, world)
    copy.cookies["session"] = browser.cookies["session"].value
    assert copy.get("/me/profile").status_code == 200
    post(browser, "/logout")
    assert copy.get("/me/profile").status_code == 302


@pytest.mark.parametrize("used_every", [None, 20])
def test_a_sign_in_ends_idle_and_at_its_end(world: World, used_every: int | None) -> None:
    start = dt.datetime(2026, 3, 2, 10, tzinfo=dt.UTC)
    with time_machine.travel(start, tick=False) as clock:
        browser = Client()
        sign_in(browser, world)
        tokens = _api(world)
        if used_every is None:
            clock.shift(23 * HOUR)
            assert browser.get("/me/profile").status_code == 200
            clock.shift(24 * HOUR)
        else:
            for _ in range(14 * 24 // used_every):
                clock.shift(used_every * HOUR)
                assert browser.get("/me/profile").status_code == 200
                tokens = _refreshed(tokens)
            clock.move_to(start + dt.timedelta(days=14))
        assert browser.get("/me/profile")["Location"].startswith("/login")
        assert _refresh(tokens).status_code == 401
        if used_every is None:  # at the very end the browser's session itself is gone, and nobody asks for the row
            assert OutboxEvent.objects.filter(type="member.sessions_ended", payload__why="timed_out").count() == 1


def _refresh(tokens: dict[str, str]) -> Any:
    body = {"refresh_token": tokens["refresh_token"]}
    return Client().post("/api/v1/auth/refresh", body, content_type="application/json")


def _refreshed(tokens: dict[str, str]) -> dict[str, str]:
    answer = _refresh(tokens)
    assert answer.status_code == 200, answer.content
    return dict(answer.json())


def test_the_tokens_of_a_refresh_end_with_their_sign_in(world: World) -> None:
    start = dt.datetime(2026, 3, 2, 10, tzinfo=dt.UTC)
    with time_machine.travel(start, tick=False) as clock:
        tokens = _api(world)
        for _ in range(14):
            clock.shift(23.9 * HOUR)
            tokens = _refreshed(tokens)
        left = (start + dt.timedelta(days=14) - dt.datetime.now(dt.UTC)).total_seconds()
        assert int(tokens["refresh_expires_in"]) == pytest.approx(left, abs=1)


def test_a_clock_that_goes_back_never_lets_a_sign_in_live_longer(world: World) -> None:
    with time_machine.travel("2026-03-02T10:00:00Z", tick=False) as clock:
        browser, slow = Client(), Client()
        sign_in(browser, world)
        sign_in(slow, world)
        token = _api(world)["access_token"]
        clock.shift(10 * HOUR)
        assert browser.get("/me/profile").status_code == 200
        clock.shift(dt.timedelta(minutes=-4))  # a correction: nothing to speak of
        assert browser.get("/me/profile").status_code == 200
        last = AuthSession.objects.filter(kind="browser").latest("last_used_at").last_used_at
        clock.shift(-5 * HOUR)
        assert browser.get("/me/profile").status_code == 302
        assert AuthSession.objects.filter(kind="browser").latest("last_used_at").last_used_at == last
        clock.move_to("2026-03-02T09:00:00Z")  # before it all began
        assert slow.get("/me/profile").status_code == 302
        assert _me(token) == 401


def test_what_a_page_asks_by_itself_does_not_keep_a_sign_in_alive(world: World) -> None:
    with time_machine.travel("2026-03-02T10:00:00Z", tick=False) as clock:
        browser = Client()
        sign_in(browser, world)
        for _ in range(12):
            clock.shift(2 * HOUR)
            browser.get("/internal/stream-grant?path=/live")
        assert browser.get("/me/profile").status_code == 302


def test_a_session_from_before_an_upgrade_goes_on_and_is_listed(world: World) -> None:
    browser = Client()
    browser.force_login(User.objects.get(id=world.users["member"]))
    assert browser.get("/me/sessions").status_code == 200
    row = AuthSession.objects.get(user_id=world.users["member"], kind="browser")
    assert SessionStore(browser.cookies["session"].value)["sign_in"] == str(row.id)
    browser.get("/me/sessions")
    assert AuthSession.objects.filter(user_id=world.users["member"], kind="browser").count() == 1


def test_a_new_password_ends_all_others_and_this_one_goes_on(world: World) -> None:
    browser, other = Client(), Client()
    sign_in(browser, world)
    sign_in(other, world)
    token = _api(world)["access_token"]
    before = browser.cookies["session"].value
    post(browser, "/me/password", old_password=PASSWORD, new_password="another horse battery")
    assert browser.get("/me/profile").status_code == 200
    assert browser.cookies["session"].value != before
    assert other.get("/me/profile").status_code == 302
    assert _me(token) == 401


def test_the_history_shows_what_succeeded_and_what_was_refused(world: World) -> None:
    browser = Client()
    post(browser, "/login", email=email_of(world).upper(), password="not this one")
    sign_in(browser, world)
    page = browser.get("/me/history").content.decode()
    assert "Refused</span>: wrong password" in page
    assert page.index("Signed in") < page.index("Refused")
    sign_in(other := Client(), world, "viewer")
    assert "wrong password" not in other.get("/me/history").content.decode()


def test_a_device_is_new_when_the_account_was_used_from_others_only(world: World) -> None:
    sign_in(Client(), world)
    sign_in(Client(), world)
    Client(headers={"User-Agent": "Mozilla/5.0 (Windows NT 10.0) Chrome/140.0 Safari/537"}).post(
        "/login", {"email": email_of(world), "password": PASSWORD}
    )
    news = OutboxEvent.objects.filter(type="member.signed_in").order_by("seq").values_list("payload", flat=True)
    assert [(p["device"], p["new_device"]) for p in news] == [
        ("Firefox on Linux", False), ("Firefox on Linux", False), ("Chrome on Windows", True),
    ]  # fmt: skip


def test_an_administrator_unlocks_whoever_guessed_too_often(world: World) -> None:
    browser = Client()
    for _ in range(10):
        assert post(browser, "/login", email=email_of(world), password="not this one").status_code == 422
    locked = sign_in(browser, world)
    assert locked.status_code == 429
    assert "Try again in" in locked.content.decode()
    User.objects.filter(id=world.users["owner"]).update(is_system_admin=True)
    services.unlock_sign_in(world.actor("owner"), world.users["member"])
    assert sign_in(browser, world).status_code == 302
