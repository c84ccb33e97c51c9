"""Links in mails: confirming an address, a new password, a new address; and what strangers may not learn from them."""

from __future__ import annotations

import re
from typing import Any

import pytest
import time_machine
from django.test import Client

from imagefactory.domain.identity import services
from imagefactory.domain.identity.models import AuthSession, EmailProof, Membership, User
from imagefactory.kernel import env
from imagefactory.kernel.outbox.models import OutboxEvent
from imagefactory.reactions.envelope import Envelope
from imagefactory.reactions.messages.notice import Notice
from imagefactory.reactions.messages.table import COMPOSERS
from tests.conftest import PASSWORD, World
from tests.pages.test_sign_in import email_of, post, sign_in

NEW_PASSWORD = "another horse battery"
SIGN_UP = {"name": "Ada", "email": "ada@example.com", "password": PASSWORD, "tenant_name": "Engines"}


@pytest.fixture(autouse=True)
def mail(monkeypatch: pytest.MonkeyPatch) -> None:
    """The factory has a mail server, as far as anyone asks before a mail is sent."""
    monkeypatch.setenv("IMAGEFACTORY_MAIL_HOST", "mail.example.com")
    settings = env.read()
    monkeypatch.setattr(env, "get", lambda: settings)


def told(kind: str) -> list[Notice]:
    """Return what people are told of all events so far of this type."""
    fields = ("seq", "id", "type", "occurred_at", "tenant_id", "actor_id", "actor_kind", "actor_name", "address")
    found: list[Notice] = []
    for e in OutboxEvent.objects.filter(type=kind).order_by("seq"):
        values = {name: getattr(e, name) for name in fields}
        found += COMPOSERS[kind](Envelope(**values, request_id=e.request_id, payload=e.payload))
    return found


def link(kind: str) -> str:
    """Return the link of the one mail that still has a working one."""
    (notice,) = [n for n in told(kind) if n.message.action and "/login/" in n.message.action[1]]
    assert notice.channels == ("email",)
    assert notice.message.action
    return notice.message.action[1]


def typed_code() -> str:
    (notice,) = told("member.email_confirmation_asked")
    found = re.search(r"\b(\d{6})\b", " ".join(notice.message.paragraphs))
    assert found
    return found[1]


def test_a_new_account_does_nothing_before_its_address_is_confirmed(db: None) -> None:
    browser = Client()
    assert post(browser, "/signup", **SIGN_UP)["Location"] == "/login/confirm"
    assert "ada@example.com" in browser.get("/login/confirm").content.decode()
    other = Client()  # the password is right: this is a sign-in, to the one page
    post(other, "/login", email="ada@example.com", password=PASSWORD)
    for path in ("/t/engines/", "/me/profile", "/me/security", "/tenants/new"):
        assert other.get(path)["Location"] == "/login/confirm", path
    refused = other.get("/api/v1/projects")
    assert (refused.status_code, refused.json()["error"]["code"]) == (403, "email_confirmation_required")
    path = link("member.email_confirmation_asked")
    assert path.startswith("/login/confirm/")
    assert not User.objects.get(email="ada@example.com").email_confirmed
    assert Client().get(path).status_code == 200  # a mail program that opens links confirms nothing
    assert not User.objects.get(email="ada@example.com").email_confirmed
    assert post(other, path)["Location"] == "/"
    assert other.get("/t/engines/").status_code == 200
    again = post(other, path)
    assert again.status_code == 400
    assert "was used already" in again.content.decode()


def test_the_code_confirms_on_the_same_device_and_signs_in(db: None) -> None:
    browser = Client()
    post(browser, "/signup", **SIGN_UP)
    assert post(browser, "/login/confirm", code="000000" if typed_code() != "000000" else "1").status_code == 422
    assert post(browser, "/login/confirm", code=typed_code())["Location"] == "/"
    assert browser.get("/t/engines/").status_code == 200
    assert Client().get("/login/confirm")["Location"] == "/login"


def test_codes_of_mails_cannot_be_guessed_on_and_on(db: None) -> None:
    browser = Client()
    post(browser, "/signup", **SIGN_UP)
    right = typed_code()
    for n in range(10):
        post(browser, "/login/confirm", code=f"{(int(right) + n + 1) % 1_000_000:06d}")
    assert post(browser, "/login/confirm", code=right).status_code == 429


def test_another_mail_ends_the_links_and_codes_of_the_first_and_there_are_few(db: None) -> None:
    browser = Client()
    post(browser, "/signup", **SIGN_UP)
    first, old = link("member.email_confirmation_asked"), typed_code()
    for _ in range(5):
        assert post(browser, "/login/confirm", again="1").status_code == 302
    assert post(browser, "/login/confirm", again="1").status_code == 429
    assert post(Client(), first).status_code == 400
    assert typed_code() != old
    assert post(browser, link("member.email_confirmation_asked")).status_code == 302


def test_signing_up_says_the_same_whether_there_is_an_account(world: World) -> None:
    taken, new = Client(), Client()
    for browser, email in ((taken, email_of(world).upper()), (new, "ada@example.com")):
        assert post(browser, "/signup", **SIGN_UP | {"email": email})["Location"] == "/login/confirm"
    pages = [re.sub(r"csrf[^>]*>|name=.csrf[^>]*>", "", b.get("/login/confirm").content.decode()) for b in (taken, new)]
    assert pages[0].replace(email_of(world).upper(), "X") == pages[1].replace("ada@example.com", "X")
    assert post(taken, "/login/confirm", code="123456").status_code == 422
    assert post(taken, "/login/confirm", again="1").status_code == 302
    (notice,) = told("member.sign_up_repeated")
    assert [r.email for r in notice.recipients] == [email_of(world)]
    assert User.objects.filter(email__iexact=email_of(world)).count() == 1
    api = [
        Client().post("/api/v1/auth/signup", SIGN_UP | {"email": e, "tenant_name": t}, content_type="application/json")
        for e, t in ((email_of(world), "One"), ("eve@example.com", "Two"))
    ]
    assert api[0].status_code == api[1].status_code == 202
    assert api[0].content == api[1].content


def test_a_forgotten_password_is_replaced_once_and_ends_every_sign_in(world: World) -> None:
    browser = Client()
    sign_in(browser, world)
    sent = [post(Client(), "/login/recover", email=e) for e in (email_of(world).upper(), "nobody@example.com")]
    texts = [re.sub(r"csrf[^>]*>|name=.csrf[^>]*>", "", s.content.decode()) for s in sent]
    assert texts[0].replace(email_of(world).upper(), "X") == texts[1].replace("nobody@example.com", "X")
    path = link("member.password_reset_asked")
    stranger = Client()
    assert post(stranger, path, new_password="short").status_code == 422  # and the link still works
    assert post(stranger, path, new_password=NEW_PASSWORD)["Location"] == "/login"
    assert not AuthSession.objects.filter(user_id=world.users["member"], revoked_at=None).exists()
    assert browser.get("/me/profile").status_code == 302
    for answer in (stranger.get(path), post(stranger, path, new_password="yet another horse")):
        assert answer.status_code == 400
    assert post(Client(), "/login", email=email_of(world), password=NEW_PASSWORD).status_code == 302
    assert OutboxEvent.objects.get(type="member.password_changed").payload["how"] == "reset"


@pytest.mark.parametrize(("minutes", "status"), [(59, 200), (61, 400), (-10, 400)])
def test_a_link_to_a_new_password_works_for_one_hour_by_any_clock(world: World, minutes: int, status: int) -> None:
    with time_machine.travel("2026-03-02T10:00:00Z", tick=False) as clock:
        post(Client(), "/login/recover", email=email_of(world))
        path = link("member.password_reset_asked")
        clock.shift(minutes * 60)
        assert Client().get(path).status_code == status


def test_a_link_is_for_its_purpose_and_person_only(world: World) -> None:
    post(Client(), "/login/recover", email=email_of(world))
    path = link("member.password_reset_asked")
    token = path.rsplit("/", 1)[1]
    row, _, mac = token.partition(".")
    other = EmailProof.objects.create(
        user_id=world.users["owner"], purpose="reset_password", email=email_of(world, "owner"),
        asked_at=EmailProof.objects.get().asked_at,
    )  # fmt: skip
    forged = [f"{row}.{mac[:-1]}x", f"{other.id.hex}.{mac}", f"{row}.", row, ".", "x" * 3000, "\u2603", f"{row}.\u2603"]
    for wrong in forged:
        assert Client().get(f"/login/reset/{wrong}").status_code == 400, wrong
    for place in ("/login/confirm/", "/login/email/"):
        assert Client().get(place + token).status_code == 400


def test_a_password_is_not_reset_for_those_without_one_or_too_often(world: World) -> None:
    user = User.objects.get(id=world.users["member"])
    for _ in range(5):
        assert post(Client(), "/login/recover", email=user.email).status_code == 200
    assert post(Client(), "/login/recover", email=user.email).status_code == 429
    viewer = User.objects.get(id=world.users["viewer"])
    viewer.set_unusable_password()
    viewer.save()
    assert post(Client(), "/login/recover", email=viewer.email).status_code == 200
    assert not OutboxEvent.objects.filter(type="member.password_reset_asked", payload__user_id=str(viewer.id)).exists()


def test_a_new_address_is_confirmed_by_it_and_the_old_one_is_told(world: World) -> None:
    browser, old = Client(), email_of(world)
    sign_in(browser, world)
    post(browser, "/me/email", email="New@Example.com")
    assert email_of(world) == old
    path = link("member.email_change_asked")
    to = [(r.email, n.kind) for n in told("member.email_change_asked") for r in n.recipients]
    assert to == [("New@Example.com", "security.change_email"), (old, "security.email_change_asked")]
    assert post(Client(), path)["Location"] == "/login"
    assert email_of(world) == "New@Example.com"
    (notice,) = told("member.email_changed")
    assert [r.email for r in notice.recipients] == [old]
    assert post(Client(), "/login", email="new@example.com", password=PASSWORD).status_code == 302
    assert post(Client(), path).status_code == 400


def test_an_address_that_others_have_is_not_told_and_never_taken(world: World) -> None:
    browser, theirs = Client(), email_of(world, "owner")
    sign_in(browser, world)
    assert post(browser, "/me/email", email=theirs.upper()).status_code == 302
    assert not EmailProof.objects.exists()
    assert post(browser, "/me/email", email="free@example.com").status_code == 302
    path = link("member.email_change_asked")
    User.objects.filter(id=world.users["owner"]).update(email="FREE@example.com")  # taken meanwhile
    assert post(Client(), path).status_code == 400
    assert EmailProof.objects.get().used_at is None  # nothing half done


def test_look_alike_addresses_are_other_people(world: World) -> None:
    first, second = "ada@example.com", "ada@ex\u0430mple.com"  # a Cyrillic letter in the domain
    third = "ad\uff41@example.com"  # a full-width letter, the same after NFKC
    for n, email in enumerate((first, second, third)):
        post(Client(), "/signup", **SIGN_UP | {"email": email, "tenant_name": f"Team {n}"})
    known = set(User.objects.filter(name="Ada").values_list("email", flat=True))
    assert first in known
    assert not OutboxEvent.objects.filter(type="member.sign_up_repeated").exists()
    found = {e: services.verify_password(_who(), email=e, password=PASSWORD) for e in known}
    assert len(set(found.values())) == len(known)


def _who() -> Any:
    from imagefactory.kernel.actor import Actor, ActorKind

    return Actor(ActorKind.USER, "test")


def test_strangers_of_a_team_are_not_in_its_mails(world: World) -> None:
    assert Membership.objects.filter(tenant_id=world.tenant_id).count() == 4
    sign_in(Client(), world)
    Client(headers={"User-Agent": "curl/8"}).post("/login", {"email": email_of(world), "password": PASSWORD})
    (notice,) = told("member.signed_in")
    assert notice.kind == "security.new_device"
    assert [r.email for r in notice.recipients] == [email_of(world)]
    assert "curl" in notice.message.paragraphs[0]
