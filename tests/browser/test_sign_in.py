"""Security keys and passkeys with the virtual authenticator of a real Chromium, and codes of an app typed into real pages."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.utils import encrypt
from playwright.sync_api import Browser, CDPSession, Page, expect

from imagefactory.domain.identity.models import User
from imagefactory.kernel import env
from imagefactory.kernel.outbox.models import OutboxEvent
from tests.browser.log_world import Front
from tests.browser.test_looks import _look
from tests.conftest import PASSWORD, World
from tests.security.test_totp import code

KEY = {
    "protocol": "ctap2", "transport": "usb", "hasResidentKey": True, "hasUserVerification": True, "isUserVerified": True,
    "automaticPresenceSimulation": True,
}  # fmt: skip


class Site:
    """The factory under the one name that browsers offer security keys to without https."""

    def __init__(self, front: Front, people: World) -> None:
        self.url = f"http://localhost:{front.port}"
        self.email = str(User.objects.get(id=people.users["member"]).email)

    def sign_in(self, page: Page) -> None:
        page.goto(f"{self.url}/login")
        page.get_by_label("E-mail").fill(self.email)
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Sign in", exact=True).click()
        page.wait_for_url(lambda url: not url.endswith("/login"))

    def sign_out(self, page: Page) -> None:
        page.goto("about:blank")  # a page that is open notices, and leaves for the sign-in by itself
        page.context.clear_cookies()


@pytest.fixture
def site(front: Front, people: World, monkeypatch: pytest.MonkeyPatch) -> Site:
    made = Site(front, people)
    monkeypatch.setenv("IMAGEFACTORY_PUBLIC_URL", made.url)
    settings = env.read()
    monkeypatch.setattr(env, "get", lambda: settings)
    return made


@pytest.fixture
def page(chromium: Browser, site: Site) -> Iterator[Page]:
    """A page that fails the test when a script throws or the content policy refuses something."""
    context = chromium.new_context(viewport={"width": 1440, "height": 900})
    made, wrong = context.new_page(), list[str]()
    made.on("pageerror", lambda error: wrong.append(str(error)))
    made.on("console", lambda said: wrong.append(said.text) if "Content Security Policy" in said.text else None)
    yield made
    context.close()
    assert not wrong, wrong


@pytest.fixture
def devtools(page: Page) -> CDPSession:
    session = page.context.new_cdp_session(page)
    session.send("WebAuthn.enable")
    return session


def plug_in(devtools: CDPSession, **options: Any) -> str:
    return str(devtools.send("WebAuthn.addVirtualAuthenticator", {"options": KEY | options})["authenticatorId"])


def unplug(devtools: CDPSession, key: str) -> None:
    devtools.send("WebAuthn.removeVirtualAuthenticator", {"authenticatorId": key})


def register(page: Page, site: Site, name: str, *, passkey: bool = False) -> None:
    page.goto(f"{site.url}/me/security/key" + ("?kind=passkey" if passkey else ""))
    page.get_by_label("Name").fill(name)
    page.get_by_role("button", name="Make passkey" if passkey else "Register key").click()
    page.wait_for_selector(f"text={name}")


def _how() -> str:
    return str(OutboxEvent.objects.filter(type="member.signed_in").latest("seq").payload["how"])


def test_a_security_key_signs_in_after_the_password(page: Page, site: Site, devtools: CDPSession) -> None:
    key = plug_in(devtools)
    site.sign_in(page)
    register(page, site, "blue key")
    expect(page.locator(".codes li")).to_have_count(10)
    with page.expect_download() as download:
        page.get_by_role("link", name="Download").click()
    assert len(re.findall(r"\d{4}-\d{4}", download.value.path().read_text())) == 10

    site.sign_out(page)
    site.sign_in(page)
    assert page.url == f"{site.url}/login/verify"
    page.get_by_role("button", name="Use a security key").click()
    page.wait_for_url(re.compile(r"/t/"))
    assert _how() == "password+webauthn"

    site.sign_out(page)
    unplug(devtools, key)
    plug_in(devtools)  # another key, which this account does not know
    site.sign_in(page)
    page.get_by_role("button", name="Use a security key").click()
    expect(page.locator("[data-wrong]")).to_contain_text("Nothing came from the key")
    assert page.goto(f"{site.url}/me/profile")
    assert "/login" in page.url


def test_a_passkey_signs_in_alone_until_it_is_removed(page: Page, site: Site, devtools: CDPSession) -> None:
    plug_in(devtools, transport="internal")
    site.sign_in(page)
    register(page, site, "laptop", passkey=True)
    site.sign_out(page)
    page.goto(f"{site.url}/login")
    page.get_by_role("link", name="Sign in with a passkey").click()
    page.get_by_role("button", name="Use a passkey").click()
    page.wait_for_url(re.compile(r"/t/"))
    assert _how() == "passkey"

    page.goto(f"{site.url}/me/security")
    page.get_by_role("link", name="Rename laptop").click()
    page.get_by_label("Name of the key").fill("old laptop")
    page.get_by_role("button", name="Rename").click()
    page.get_by_role("link", name="Remove old laptop").click()
    page.get_by_role("dialog").get_by_role("button", name="Remove").click()
    expect(page.get_by_text("no longer signs anyone in")).to_be_visible()
    assert not Authenticator.objects.filter(user__email=site.email).exists()

    site.sign_out(page)
    page.goto(f"{site.url}/login/passkey")
    page.get_by_role("button", name="Use a passkey").click()
    expect(page.get_by_role("alert").first).to_contain_text("does not fit this page")
    assert OutboxEvent.objects.filter(type="member.sign_in_refused").latest("seq").payload["reason"] == "wrong_key"


def test_an_answer_is_taken_once_and_only_with_its_own_challenge(page: Page, site: Site, devtools: CDPSession) -> None:
    plug_in(devtools)
    site.sign_in(page)
    register(page, site, "blue key")
    site.sign_out(page)
    site.sign_in(page)
    sent: list[str] = []
    page.on("request", lambda r: sent.append(r.post_data or "") if r.method == "POST" else None)
    page.get_by_role("button", name="Use a security key").click()
    page.wait_for_url(re.compile(r"/t/"))
    answer = next(text for text in sent if "credential=" in text)
    site.sign_out(page)
    site.sign_in(page)
    token = page.locator("input[name=csrfmiddlewaretoken]").first.input_value()
    again = page.context.request.post(
        f"{site.url}/login/verify",
        form={"csrfmiddlewaretoken": token, "credential": _field(answer, "credential")},
        headers={"Origin": site.url},
        max_redirects=0,
    )
    assert again.status == 422
    assert "does not fit this page" in again.text()


def _field(body: str, name: str) -> str:
    return parse_qs(body)[name][0]


def test_an_app_is_set_up_with_the_key_that_the_page_shows(page: Page, site: Site) -> None:
    site.sign_in(page)
    page.goto(f"{site.url}/me/security")
    page.get_by_role("link", name="Set up an app").click()
    key = page.locator(".copyline code, copy-field code").first.inner_text()
    drawn = page.locator(".qr svg").bounding_box()
    assert drawn
    assert drawn["width"] > 150
    page.get_by_role("textbox", name="Code").fill("000000" if code(key) != "000000" else "111111")
    page.get_by_role("button", name="Set up").click()
    expect(page.locator(".summary")).to_contain_text("does not fit")
    assert page.locator(".copyline code, copy-field code").first.inner_text() == key  # the app has it already
    page.get_by_role("textbox", name="Code").fill(code(key))
    page.get_by_role("button", name="Set up").click()
    expect(page.locator(".codes li")).to_have_count(10)


def looked_at(page: Page, site: Site, addresses: list[str]) -> dict[str, list[str]]:
    return _look(page, site, addresses)  # type: ignore[arg-type] # of the front only its address is asked


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [1440, 360])
def test_the_pages_in_between_are_accessible_and_fit(
    chromium: Browser, front: Front, site: Site, people: World, theme: str, width: int
) -> None:
    """The steps that other tests of looks cannot reach: they want a password to be right, or an address to be waited for."""
    context = chromium.new_context(viewport={"width": width, "height": 900}, bypass_csp=True)
    context.add_cookies([{"name": "theme", "value": theme, "url": site.url}])
    page = context.new_page()
    site.sign_in(page)
    wrong = looked_at(page, site, ["/me/security", "/me/security/key", "/me/security/app"])
    user = User.objects.get(email=site.email)
    User.objects.filter(id=user.id).update(email_confirmed=False)
    wrong |= looked_at(page, site, ["/login/confirm"])
    User.objects.filter(id=user.id).update(email_confirmed=True, must_change_password=True)
    wrong |= looked_at(page, site, ["/login/change-password"])
    User.objects.filter(id=user.id).update(must_change_password=False)
    Authenticator.objects.create(user=user, type="totp", data={"secret": encrypt("A" * 32)})
    context.clear_cookies(name="session")
    site.sign_in(page)
    wrong |= looked_at(page, site, ["/login/verify", "/login/passkey", "/login/recover", "/login/reset/x"])
    context.close()
    assert wrong == {}
