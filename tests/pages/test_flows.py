"""The newcomer's pages, without scripts: sign up, project, source, dry run, build, cancel, rerun; who is refused what."""

from __future__ import annotations

import io
import re
import tarfile

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from imagefactory.domain.identity.models import Membership, Tenant, User
from imagefactory.kernel.clock import now

SIGN_UP = {"name": "Mira Lund", "email": "mira@example.com", "password": "copper-kettle-9", "tenant_name": "Acme"}
DOCKERFILE = "FROM scratch\nCOPY hello /\n"
BUILD = {"source": "inline", "dockerfile_text": DOCKERFILE, "tags": "latest"}
NEW = "/t/acme/p/shop/builds/new"

pytestmark = pytest.mark.django_db


@pytest.fixture
def mira() -> Client:
    client = Client()
    assert client.post("/signup", SIGN_UP).url == "/t/acme/"  # type: ignore[attr-defined]
    return client


@pytest.fixture
def shop(mira: Client) -> Client:
    answer = mira.post("/t/acme/projects/new", {"name": "Shop"})
    assert answer.url == "/t/acme/p/shop/settings/source"  # type: ignore[attr-defined]
    return mira


def text(client: Client, address: str) -> str:
    answer = client.get(address)
    assert answer.status_code == 200, (address, answer.status_code)
    return answer.content.decode()


def started(client: Client) -> str:
    answer = client.post(NEW, {**BUILD, "start": "1"})
    assert answer.status_code == 302, answer.content.decode()
    return str(answer.url)  # type: ignore[attr-defined]


def test_the_first_steps_lead_from_nothing_to_a_build_and_tick_off(mira: Client) -> None:
    page = text(mira, "/t/acme/")
    assert "First steps" in page
    assert page.count("(done)") == 0
    mira.post("/t/acme/projects/new", {"name": "Shop"})
    assert text(mira, "/t/acme/").count("(done)") == 1
    url = started(mira)
    assert url == "/t/acme/p/shop/builds/1"
    page = text(mira, "/t/acme/")
    assert page.count("(done)") == 3
    assert url in page


def test_a_queued_build_says_what_it_waits_for_and_can_be_cancelled_and_rerun(shop: Client) -> None:
    url = started(shop)
    page = text(shop, url)
    assert "Queued" in page
    assert "no build worker is connected" in page
    shop.post(f"{url}/cancel")
    page = text(shop, url)
    assert "Cancelled" in page
    assert "Rerun" in page
    assert "Cancel build" not in page
    assert shop.post(f"{url}/rerun").url == url  # type: ignore[attr-defined]
    assert "Queued" in text(shop, url)


def test_a_dry_run_stores_nothing_keeps_what_was_typed_and_shows_the_same_call(shop: Client) -> None:
    page = shop.post(NEW, {**BUILD, "check": "1"}).content.decode()
    assert "It would be accepted" in page
    assert "COPY hello" in page
    assert "imagefactory build submit shop --dockerfile Dockerfile --tag latest --follow" in page
    assert "&quot;schema_version&quot;: 1" in page
    assert "No builds yet" in text(shop, "/t/acme/builds")


@pytest.mark.parametrize(
    ("field", "value", "sentence"),
    [
        ("tags", "bad/tag", "bad/tag"),
        ("build_args", "no equals sign", "NAME=value"),
        ("memory_mib", "plenty", "Give a number"),
        ("memory_mib", "60000", "at most"),
        ("context", "../..", "inside the source"),
        ("platform", "pdp11", "linux/amd64"),
    ],
)
def test_a_wrong_field_comes_back_marked_with_everything_typed(
    shop: Client, field: str, value: str, sentence: str
) -> None:
    answer = shop.post(NEW, {**BUILD, field: value, "start": "1"})
    page = answer.content.decode()
    assert answer.status_code == 422
    assert f'href="#f-{field}"' in page
    assert sentence in page.partition('role="alert"')[2]
    assert "COPY hello" in page
    assert "No builds yet" in text(shop, "/t/acme/builds")


def archive() -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as tar:
        entry = tarfile.TarInfo("Dockerfile")
        entry.size = len(DOCKERFILE)
        tar.addfile(entry, io.BytesIO(DOCKERFILE.encode()))
    return out.getvalue()


def test_an_uploaded_archive_survives_a_mistake_in_another_field(shop: Client) -> None:
    file = SimpleUploadedFile("app.tar.gz", archive())
    answer = shop.post(NEW, {"source": "archive", "archive": file, "tags": "bad/tag", "start": "1"})
    assert answer.status_code == 422
    chosen = re.search(r'<option value="([0-9a-f-]{36})" selected', answer.content.decode())
    assert chosen
    form = {"source": "archive", "upload_id": chosen[1], "tags": "ok", "start": "1"}
    assert shop.post(NEW, form).url == "/t/acme/p/shop/builds/1"  # type: ignore[attr-defined]


def test_a_build_is_started_from_an_earlier_one_with_its_values(shop: Client) -> None:
    shop.post(NEW, {**BUILD, "tags": "one two", "build_args": "A=1", "memory_mib": "256", "start": "1"})
    page = text(shop, f"{NEW}?from=1")
    assert 'value="one two"' in page
    assert "A=1" in page
    assert 'value="256"' in page
    assert "COPY hello" in page


def test_the_list_filters_by_words_and_terms_and_says_what_it_did_not_understand(shop: Client) -> None:
    url = started(shop)
    shop.post(f"{url}/cancel")
    assert url in text(shop, "/t/acme/builds?q=status:cancelled+project:shop+author:me")
    today = now().date().isoformat()
    assert url in text(shop, f"/t/acme/builds?q=trigger:web+since:{today}")
    assert "No build matches" in text(shop, f"/t/acme/builds?q=until:{today}")
    assert "takes a day such as" in text(shop, "/t/acme/builds?q=since:yesterday")
    page = text(shop, "/t/acme/builds?q=status:failed")
    assert "No build matches" in page
    assert "Clear the filter" in page
    assert "There is no filter colour" in text(shop, "/t/acme/builds?q=colour:red")
    assert "There is no status blue" in text(shop, "/t/acme/p/shop/builds?q=status:blue")


def test_the_list_pages_over_the_whole_and_says_where_one_is(shop: Client) -> None:
    for _ in range(53):
        started(shop)
    page = text(shop, "/t/acme/builds")
    assert "1\N{EN DASH}50 of 53" in page
    older = re.search(r'rel="next" href="([^"]+)"', page)
    assert older
    page = text(shop, "/t/acme/builds" + older[1].replace("&amp;", "&"))
    assert "51\N{EN DASH}53 of 53" in page
    assert "/builds/1" in page


def test_settings_are_kept_and_a_stale_form_does_not_overwrite_them(shop: Client) -> None:
    address = "/t/acme/p/shop/settings"
    version = re.search(r'name="version" value="(\d+)"', text(shop, address))
    assert version
    form = {"name": "Shop two", "description": "d", "version": version[1]}
    assert shop.post(address, form).status_code == 302
    answer = shop.post(address, {**form, "name": "Shop three"})
    assert answer.status_code == 422
    assert "Someone else changed this project" in answer.content.decode()
    assert "Shop two" in text(shop, address)


def test_a_credential_is_stored_and_its_value_never_comes_back(shop: Client) -> None:
    address = "/t/acme/p/shop/settings/credentials"
    form = {"name": "TOKEN", "kind": "build_secret", "secret": "hunter2-hunter2"}
    answer = shop.post(address, form, follow=True)
    assert "TOKEN" in answer.content.decode()
    assert "hunter2" not in answer.content.decode()
    short = shop.post(address, {**form, "name": "B", "secret": "abc"})
    assert short.status_code == 422
    delete = re.search(r'href="([^"]+/delete)"', answer.content.decode())
    assert delete
    assert "TOKEN" in text(shop, delete[1])
    shop.post(delete[1])
    assert "No credentials yet" in text(shop, address)


def test_a_project_is_archived_restored_and_deleted_with_its_name_typed(shop: Client) -> None:
    address = "/t/acme/p/shop/settings/danger"
    shop.post(address, {"archive": "1"})
    assert "No projects yet" in text(shop, "/t/acme/projects")
    assert "Shop" in text(shop, "/t/acme/projects?archived=1")
    shop.post(address, {"restore": "1"})
    assert shop.post(address, {"delete": "1", "confirm": "no"}).status_code == 422
    assert shop.post(address, {"delete": "1", "confirm": "shop"}).status_code == 302
    assert shop.get("/t/acme/p/shop/").status_code == 404


def test_an_api_key_is_shown_once_and_works_until_it_is_revoked(shop: Client) -> None:
    answer = shop.post("/me/keys?tenant=acme", {"name": "laptop", "days": "30"}).content.decode()
    key = re.search(r"ifk_[\w-]+_[\w-]+", answer)
    assert key
    headers = {"Authorization": f"Bearer {key[0]}"}
    assert Client().get("/api/v1/projects", headers=headers).status_code == 200
    page = text(shop, "/me/keys?tenant=acme")
    assert key[0] not in page
    revoke = re.search(r'href="(/me/keys/[^"]+/revoke\?tenant=acme)"', page)
    assert revoke
    assert shop.post(revoke[1]).status_code == 302
    assert Client().get("/api/v1/projects", headers=headers).status_code == 401


def test_a_stranger_gets_404_where_the_owner_gets_the_page(shop: Client) -> None:
    url = started(shop)
    other = Client()
    other.post("/signup", {**SIGN_UP, "email": "jon@example.com", "tenant_name": "Globex"})
    for address in ("/t/acme/", "/t/acme/images", url, NEW, f"{url}/log", f"{url}/config", "/t/acme/p/shop/settings"):
        assert shop.get(address).status_code == 200, address
        assert other.get(address).status_code == 404, address
        assert b"Acme" not in other.get(address).content, address


def test_someone_signed_out_is_sent_to_the_sign_in_and_back(mira: Client) -> None:
    mira.post("/logout")
    assert mira.get("/t/acme/images").url == "/login?next=%2Ft%2Facme%2Fimages"  # type: ignore[attr-defined]
    form = {"email": "mira@example.com", "password": "copper-kettle-9", "next": "/t/acme/images"}
    wrong = mira.post("/login", {**form, "password": "wrong"})
    assert wrong.status_code == 422
    assert "mira@example.com" in wrong.content.decode()
    assert mira.post("/login", form).url == "/t/acme/images"  # type: ignore[attr-defined]


def test_a_sign_in_never_leads_to_another_site(mira: Client) -> None:
    mira.post("/logout")
    for elsewhere in ("https://elsewhere.example/", "//elsewhere.example/", "javascript:alert(1)"):
        form = {"email": "mira@example.com", "password": "copper-kettle-9", "next": elsewhere}
        assert Client().post("/login", form).url == "/"  # type: ignore[attr-defined]


def test_signing_up_says_every_wrong_field_at_once_and_keeps_what_was_typed() -> None:
    answer = Client().post("/signup", {**SIGN_UP, "email": "no address", "password": "short", "time_zone": "Moon/Base"})
    page = answer.content.decode()
    assert answer.status_code == 422
    for field in ("email", "password", "time_zone"):
        assert f'href="#f-{field}"' in page
    assert 'value="Acme"' in page
    assert "short" not in re.sub(r"[Ss]hort name|too short", "", page)


def test_the_password_is_changed_and_the_old_one_stops(mira: Client) -> None:
    form = {"old_password": "copper-kettle-9", "new_password": "walnut-anchor-77"}
    assert mira.post("/me/password", {**form, "old_password": "x"}).status_code == 422
    assert mira.post("/me/password", form).status_code == 302
    assert mira.get("/t/acme/").status_code == 200
    login = {"email": "mira@example.com", "password": "copper-kettle-9"}
    assert Client().post("/login", login).status_code == 422


def test_a_second_team_is_made_and_switched_to(mira: Client) -> None:
    assert mira.post("/tenants/new", {"name": "Side Project"}).url == "/t/side-project/"  # type: ignore[attr-defined]
    page = text(mira, "/t/side-project/")
    assert 'href="/t/acme/"' in page
    assert mira.get("/").url == "/t/side-project/"  # type: ignore[attr-defined]


def test_a_refused_page_names_the_reason_and_whom_to_ask(shop: Client) -> None:
    other = Client()
    other.post("/signup", {**SIGN_UP, "name": "Vera", "email": "vera@example.com", "tenant_name": "Globex"})
    vera = User.objects.get(email="vera@example.com")
    Membership.objects.create(tenant=Tenant.objects.get(slug="acme"), user=vera)
    answer = other.get("/t/acme/projects/new")
    page = answer.content.decode()
    assert answer.status_code == 403
    assert "Only owners of the team create projects" in page
    assert "mailto:mira@example.com" in page
    assert "You are in no project yet" in text(other, "/t/acme/")


def test_pages_carry_no_inline_script_or_style(shop: Client) -> None:
    url = started(shop)
    for address in ("/t/acme/", "/t/acme/builds", url, f"{url}/log", "/t/acme/images", NEW, "/help", "/me/keys"):
        page = text(shop, address)
        assert "<style" not in page
        assert " style=" not in page
        assert not re.search(r"<script(?![^>]*\bsrc=)", page), address
        assert not re.search(r"\son[a-z]+=", page), address


@pytest.mark.parametrize(
    ("address", "names"),
    [
        ("/t/acme/", ["overview"]),
        ("/t/acme/builds", ["rows"]),
        ("/t/acme/images", ["rows"]),
        ("/notifications", ["notifications"]),
        ("/t/acme/p/shop/", ["project"]),
        ("/t/acme/p/shop/builds/1", ["head", "stages", "rail"]),
    ],
)
def test_each_live_block_of_a_page_is_served_alone_and_equals_the_one_in_the_page(
    shop: Client, address: str, names: list[str]
) -> None:
    started(shop)
    page = text(shop, address)
    assert re.findall(r'data-block="(\w+)"', page) == ["badge", *names]
    for name in names:
        answer = shop.get(address, headers={"X-Block": name})
        alone = answer.content.decode()
        assert answer.status_code == 200
        assert "X-Block" in answer["Vary"]
        assert f'data-block="{name}"' in alone
        assert "<html" not in alone
        assert re.sub(r'value="\w{64}"|\d+\.\d s', "", alone).strip() in re.sub(r'value="\w{64}"|\d+\.\d s', "", page)
