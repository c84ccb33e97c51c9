"""Theme, density and keys: kept in cookies, in the first byte of every page, and never a way to another site."""

from __future__ import annotations

import pytest
from django.test import Client


@pytest.fixture
def browser(db: None) -> Client:
    return Client()


def html(browser: Client, address: str = "/login") -> str:
    return browser.get(address).content.decode().split("<head>")[0]


def test_without_a_cookie_the_system_decides_and_keys_are_on(browser: Client) -> None:
    assert 'data-theme="system" data-density="compact" data-keys="on"' in html(browser)


def test_choices_are_in_the_first_byte_of_the_next_page_and_one_leaves_the_others(browser: Client) -> None:
    answer = browser.post("/appearance", {"theme": "dark", "density": "comfortable", "next": "/signup"})
    assert (answer.status_code, answer["Location"]) == (302, "/signup")
    browser.post("/appearance", {"keys": "off"})
    for address in ("/login", "/signup"):
        assert 'data-theme="dark" data-density="comfortable" data-keys="off"' in html(browser, address)


def test_the_cookies_last_a_year_and_stay_on_this_site(browser: Client) -> None:
    cookie = browser.post("/appearance", {"theme": "light"}).cookies["theme"]
    assert (cookie.value, cookie["samesite"], cookie["path"]) == ("light", "Lax", "/")
    assert int(cookie["max-age"]) == 31_536_000


def test_a_value_that_is_no_choice_is_refused_and_nothing_is_kept(browser: Client) -> None:
    answer = browser.post("/appearance", {"theme": "dark", "keys": "maybe"})
    assert answer.status_code == 422
    assert not {"theme", "density", "keys"} & set(answer.cookies)
    assert 'data-theme="system"' in html(browser)


def test_a_forged_cookie_never_reaches_the_page(browser: Client) -> None:
    browser.cookies["theme"] = '"><script>'
    assert 'data-theme="system"' in html(browser)


@pytest.mark.parametrize(
    "wanted", ["https://elsewhere.example/", "//elsewhere.example/", "javascript:alert(1)", "login", "/\\elsewhere", ""]
)
def test_the_way_back_never_leads_to_another_site(browser: Client, wanted: str) -> None:
    assert browser.post("/appearance", {"theme": "dark", "next": wanted})["Location"] == "/"


def test_a_script_is_told_the_way_and_does_not_go(browser: Client) -> None:
    answer = browser.post("/appearance", {"theme": "dark", "next": "/signup"}, headers={"X-Follow": "no"})
    assert (answer.status_code, answer["X-Location"]) == (204, "/signup")
    assert answer.cookies["theme"].value == "dark"


def test_only_a_post_with_the_forgery_token_changes_anything(db: None) -> None:
    browser = Client(enforce_csrf_checks=True)
    assert browser.get("/appearance").status_code == 405
    assert browser.post("/appearance", {"theme": "dark"}).status_code == 403
    page = browser.get("/login").content.decode()
    token = page.split('<meta name="csrf" content="')[1].split('"')[0]
    assert browser.post("/appearance", {"theme": "dark"}, headers={"X-CSRFToken": token}).status_code == 302
