"""The page of notifications as people use it, without scripts."""

from __future__ import annotations

import datetime as dt
import re
import uuid

import pytest
from django.test import Client

from imagefactory.domain.identity.models import Membership, User
from imagefactory.domain.notifications.models import EmailOff, Notice
from imagefactory.domain.notifications.services import Message, Recipient, notify
from imagefactory.kernel import env
from imagefactory.kernel.clock import now
from imagefactory.kernel.ids import uuid7
from tests.conftest import World, next_millisecond
from tests.pages.test_pages import client


def tell(
    world: World, subject: str, path: str = "/help", role: str = "member", tenant: uuid.UUID | None = None
) -> Notice:
    user, event = User.objects.get(id=world.users[role]), uuid7()
    next_millisecond()
    notify(
        event_id=event, kind="builds.failed", tenant_id=tenant or world.tenant_id,
        to=[Recipient(user.email, user.name, user.id)], message=Message(subject, ["Why."], ("Open", path)),
    )  # fmt: skip
    return Notice.objects.get(event_id=event)


def page(browser: Client, address: str = "/notifications") -> str:
    answer = browser.get(address)
    assert answer.status_code == 200
    return answer.content.decode()


def send(browser: Client, html: str, button: str) -> str:
    """Send the first form with a button of this text, as a browser does, and return the page that follows."""
    for action, body in re.findall(r'<form[^>]*action="([^"]+)"[^>]*>(.*?)</form>', html, re.DOTALL):
        if not re.search(rf">{button}</button>", body):
            continue
        fields = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', body))
        fields |= dict(re.findall(rf'<button[^>]*name="(\w+)" value="([^"]*)"[^>]*>{button}<', body))
        answer = browser.post(action, fields)
        assert answer.status_code == 302
        return page(browser, answer.headers["Location"])
    raise AssertionError(f"no form with a button {button}")


def badge(html: str) -> str:
    found = re.search(r'aria-label="Notifications([^"]*)"', html)
    assert found
    return found[1]


def test_the_badge_counts_on_every_page_and_marking_one_takes_it_down_and_undo_brings_it_back(world: World) -> None:
    tell(world, "First")
    tell(world, "Second")
    browser = client(world, "member")
    assert badge(page(browser, f"/t/{world.tenant_slug}/builds")) == ", 2 unread"
    marked = send(browser, page(browser), "Mark as read")
    assert badge(marked) == ", 1 unread"
    assert "1 marked as read." in marked
    undone = send(browser, marked, "Undo")
    assert badge(undone) == ", 2 unread"
    assert "marked as read." not in undone


def test_marking_all_can_be_undone_and_leaves_what_was_read_before(world: World) -> None:
    for subject in ("First", "Second", "Third"):
        tell(world, subject)
    browser = client(world, "member")
    send(browser, page(browser), "Mark as read")
    everything = send(browser, page(browser, "/notifications?show=unread"), "Mark all as read")
    assert badge(everything) == ""
    assert "Nothing unread" in everything
    undone = send(browser, everything, "Undo")
    assert badge(undone) == ", 2 unread"
    assert "Third" not in undone


def test_what_was_read_can_be_marked_as_unread(world: World) -> None:
    notice = tell(world, "First")
    Notice.objects.update(read_at=now())
    send(client(world, "member"), page(client(world, "member")), "Mark as unread")
    notice.refresh_from_db()
    assert notice.read_at is None


def test_notices_stand_under_their_day_and_link_to_what_they_are_about(world: World) -> None:
    tell(world, "Old one")
    Notice.objects.update(created_at=dt.datetime(2024, 2, 29, 12, tzinfo=dt.UTC))
    notice = tell(world, "New <one>", f"/t/{world.tenant_slug}/builds")
    browser = client(world, "member")
    html = page(browser)
    assert re.findall(r"<h2>([^<]+)</h2>", html)[:2] == ["Today", "Thursday, 29 February 2024"]
    assert "New &lt;one&gt;" in html
    answer = browser.get(f"/notifications/{notice.id}")
    assert answer.headers["Location"] == f"/t/{world.tenant_slug}/builds"
    assert badge(page(browser)) == ", 1 unread"


def test_long_lists_have_pages(world: World) -> None:
    for i in range(53):
        tell(world, f"Notice {i:02}")
    browser = client(world, "member")
    first = page(browser)
    older = re.search(r'rel="next" href="([^"]+)"', first)
    assert older
    second = page(browser, older[1].replace("&amp;", "&"))
    assert len(re.findall("Notice \\d\\d</a>", first)) == 50
    assert sorted(re.findall("Notice (\\d\\d)</a>", second)) == ["00", "01", "02"]


def test_who_left_a_team_reads_nothing_of_it_any_more(world: World) -> None:
    notice = tell(world, "A secret of the team")
    browser = client(world, "member")
    Membership.objects.filter(tenant_id=world.tenant_id, user_id=world.users["member"]).delete()
    html = page(browser)
    assert "A secret of the team" not in html
    assert badge(html) == ""
    assert browser.get(f"/notifications/{notice.id}").status_code == 404
    browser.post("/notifications/read", {"all": "1"})
    notice.refresh_from_db()
    assert notice.read_at is None


def test_bad_addresses_of_the_page_do_no_harm(world: World) -> None:
    tell(world, "First")
    browser = client(world, "member")
    for query in ("before=x", "undo=-1", "undo=99999999999999999999", "undo=%C2%B2", "show=x", "before=" + "9" * 5000):
        assert "First" in page(browser, f"/notifications?{query}")
    assert browser.post("/notifications/read", {"id": ["x", "", "9" * 5000]}).status_code == 302
    assert browser.post("/notifications/unread", {"undo": "x"}).status_code == 302
    assert Notice.objects.filter(read_at=None).count() == 1
    assert browser.get("/notifications/read").status_code == 405


def test_the_settings_of_email_are_saved_and_security_stays_on_with_the_reason(world: World) -> None:
    browser = client(world, "member")
    before = page(browser, "/me/notifications")
    assert "Cannot be switched off" in before
    assert re.search(r'value="security" checked disabled', before)
    assert browser.post("/me/notifications", {"email": "team"}).status_code == 302
    assert [e.group for e in EmailOff.objects.all()] == ["builds"]
    after = page(browser, "/me/notifications")
    assert 'value="builds" aria' in after
    assert 'value="team" checked' in after


def test_the_settings_say_when_there_is_no_mail_server(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    browser = client(world, "member")
    assert "has no mail server" in page(browser, "/me/notifications")
    settings = env.get().model_copy(update={"mail_host": "mail.example.com"})
    monkeypatch.setattr(env, "get", lambda: settings)
    assert "has no mail server" not in page(browser, "/me/notifications")


def test_the_api_reads_marks_and_undoes(world: World) -> None:
    for subject in ("First", "Second", "Third"):
        tell(world, subject)
    api = world.api("member")
    listed = api("get", "/notifications?limit=2").json()
    assert [n["subject"] for n in listed["items"]] == ["Third", "Second"]
    assert (listed["total"], listed["unread"]) == (3, 3)
    rest = api("get", f"/notifications?limit=2&cursor={listed['next_cursor']}").json()
    assert ([n["subject"] for n in rest["items"]], rest["next_cursor"]) == (["First"], None)
    api("post", "/notifications/read", {"ids": [rest["items"][0]["id"]]})
    marked = api("post", "/notifications/read", {"all": True}).json()
    assert api("get", "/notifications?unread=true").json()["total"] == 0
    assert api("post", "/notifications/unread", {"read_at": marked["read_at"]}).json() == {"count": 2}
    assert api("get", "/notifications?unread=true").json()["total"] == 2
    assert api("post", "/notifications/read", {}).status_code == 400
    assert api("post", "/notifications/unread", {}).status_code == 400


def test_a_key_reads_the_settings_and_cannot_change_them(world: World) -> None:
    api = world.api("member")
    assert api("get", "/notifications/settings").json()["email"] == {"builds": True, "team": True, "security": True}
    assert api("patch", "/notifications/settings", {"email": {"builds": False}}).status_code == 403
    assert not EmailOff.objects.exists()
