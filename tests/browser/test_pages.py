"""The newcomer's pages, without scripts: sign up, project, dry run, build, cancel, rerun; and who is refused what."""

from __future__ import annotations

import pytest
from django.test import Client

SIGN_UP = {"name": "Mira Lund", "email": "mira@example.com", "password": "copper-kettle-9", "tenant_name": "Acme"}
DOCKERFILE = "FROM scratch\nCOPY hello /\n"

pytestmark = pytest.mark.django_db


@pytest.fixture
def mira():
    client = Client()
    assert client.post("/signup", SIGN_UP).url == "/t/acme/"  # type: ignore[attr-defined]
    return client


def started(client):
    assert client.post("/t/acme/projects/new", {"name": "Shop"}).url == "/t/acme/p/shop/builds/new"
    answer = client.post("/t/acme/p/shop/builds/new", {"dockerfile": DOCKERFILE, "tags": "latest", "start": "1"})
    assert answer.status_code == 302, answer.content.decode()
    return answer.url


def test_a_newcomer_signs_up_and_starts_a_build_that_the_list_shows(mira):
    assert "No builds yet" in mira.get("/t/acme/").content.decode()
    url = started(mira)
    assert url == "/t/acme/p/shop/builds/1"
    page = mira.get(url).content.decode()
    assert "Queued" in page
    assert "Cancel build" in page
    assert url in mira.get("/t/acme/").content.decode()


def test_a_cancelled_build_offers_a_rerun_and_no_cancel(mira):
    url = started(mira)
    mira.post(f"{url}/cancel")
    page = mira.get(url).content.decode()
    assert "Cancelled" in page
    assert "Rerun" in page
    assert "Cancel build" not in page


def test_a_dry_run_stores_no_build_and_keeps_what_was_typed(mira):
    mira.post("/t/acme/projects/new", {"name": "Shop"})
    form = {"dockerfile": DOCKERFILE, "tags": "latest", "check": "1"}
    page = mira.post("/t/acme/p/shop/builds/new", form).content.decode()
    assert "Dry run" in page
    assert "COPY hello" in page
    assert "No builds yet" in mira.get("/t/acme/").content.decode()


def test_a_tag_that_is_not_allowed_comes_back_with_the_form_and_a_sentence(mira):
    mira.post("/t/acme/projects/new", {"name": "Shop"})
    answer = mira.post("/t/acme/p/shop/builds/new", {"dockerfile": DOCKERFILE, "tags": "bad/tag", "start": "1"})
    assert answer.status_code == 422
    assert 'role="alert"' in answer.content.decode()
    assert "COPY hello" in answer.content.decode()


def test_a_stranger_gets_404_where_the_owner_gets_the_page(mira):
    url = started(mira)
    other = Client()
    other.post("/signup", {**SIGN_UP, "email": "jon@example.com", "tenant_name": "Globex"})
    for address in ("/t/acme/", "/t/acme/images", url, "/t/acme/p/shop/builds/new"):
        assert mira.get(address).status_code == 200, address
        assert other.get(address).status_code == 404, address


def test_someone_signed_out_is_sent_to_the_sign_in_and_back(mira):
    mira.post("/logout")
    assert mira.get("/t/acme/images").url == "/login?next=%2Ft%2Facme%2Fimages"
    form = {"email": "mira@example.com", "password": "copper-kettle-9", "next": "/t/acme/images"}
    assert mira.post("/login", {**form, "password": "wrong"}).status_code == 422
    assert mira.post("/login", form).url == "/t/acme/images"


def test_a_sign_in_never_leads_to_another_site(mira):
    form = {"email": "mira@example.com", "password": "copper-kettle-9", "next": "https://elsewhere.example/"}
    assert mira.post("/login", form).url == "/"


def test_pages_carry_no_inline_script_or_style(mira):
    url = started(mira)
    for address in ("/t/acme/", url, "/t/acme/images", "/t/acme/projects/new"):
        page = mira.get(address).content.decode()
        assert "<style" not in page
        assert " style=" not in page
        assert "<script>" not in page
