"""Every command, over real HTTP: what it prints, what it stores and how it ends."""

from __future__ import annotations

import io
import json
import stat
import tarfile
from pathlib import Path
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.utils import encrypt

from imagefactory.domain.identity import services
from imagefactory.entry.cli import credentials
from tests.cli.conftest import Cli
from tests.conftest import DOCKERFILE, PASSWORD, World
from tests.security.test_totp import code

pytestmark = [pytest.mark.committed, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def dockerfile(tmp_path: Path) -> str:
    file = tmp_path / "Dockerfile"
    file.write_text("FROM scratch\nLABEL a=b\n")
    return str(file)


def _sign_in(cli: Cli, live_server: Any, world: World) -> None:
    email = world.actor("owner").email
    cli("login", "--url", live_server.url, "--email", email, stdin=PASSWORD + "\n")


def test_login_stores_a_private_session_that_whoami_uses_and_logout_ends(
    live_server: Any, world: World, cli: Cli, config: Path
) -> None:
    _sign_in(cli, live_server, world)
    assert stat.S_IMODE(config.stat().st_mode) == 0o600
    assert PASSWORD not in config.read_text()
    assert cli.json("whoami")["tenant"] == world.tenant_slug
    kept = config.read_text()
    cli("logout")
    assert not config.exists()
    config.write_text(kept)
    refused = cli("whoami", code=3)
    assert "imagefactory login" in refused.stderr


def test_an_access_token_that_ran_out_is_renewed_without_a_word(
    live_server: Any, world: World, cli: Cli, config: Path
) -> None:
    _sign_in(cli, live_server, world)
    before = credentials.load()
    assert before is not None
    credentials.save(before._replace(access_ends=0))
    cli("whoami")
    after = credentials.load()
    assert after is not None
    assert after.access_token != before.access_token
    assert after.refresh_token != before.refresh_token
    credentials.save(after._replace(access_token="nonsense"))
    cli("whoami")


def test_a_wrong_password_is_refused_and_stores_nothing(live_server: Any, world: World, cli: Cli, config: Path) -> None:
    cli("login", "--url", live_server.url, "--email", world.actor("owner").email, stdin="wrong\n", code=3)
    assert not config.exists()


def test_a_second_factor_is_asked_for_and_its_code_given(
    live_server: Any, world: World, cli: Cli, config: Path
) -> None:
    owner = world.actor("owner")
    setup = services.begin_app(owner)
    Authenticator.objects.create(user_id=owner.person, type="totp", data={"secret": encrypt(setup.key)})
    words = ("login", "--url", live_server.url, "--email", owner.email)
    refused = cli(*words, stdin=PASSWORD + "\n", code=3)
    assert "--code" in refused.stderr
    cli(*words, "--code", "000000" if code(setup.key) != "000000" else "111111", stdin=PASSWORD + "\n", code=3)
    assert not config.exists()
    cli(*words, "--code", code(setup.key), stdin=PASSWORD + "\n")
    assert cli.json("whoami")["email"] == owner.email


def test_a_key_from_standard_input_signs_in(live_server: Any, world: World, cli: Cli, config: Path) -> None:
    cli("login", "--url", live_server.url, "--token-stdin", stdin=world.token("viewer") + "\n")
    assert cli.json("whoami")["role"] == "viewer"
    assert stat.S_IMODE(config.stat().st_mode) == 0o600


def test_a_stored_session_is_not_sent_to_another_address(
    live_server: Any, world: World, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    _sign_in(cli, live_server, world)
    monkeypatch.setenv("IMAGEFACTORY_URL", "http://127.0.0.1:9")
    assert "not signed in at http://127.0.0.1:9" in cli("whoami", code=3).stderr


def test_nobody_answering_is_exit_status_6(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IMAGEFACTORY_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("IMAGEFACTORY_TOKEN", "x")
    monkeypatch.setattr("imagefactory.entry.cli.client.time.sleep", lambda _: None)
    assert "cannot be reached" in cli("project", "list", code=6).stderr


def test_a_damaged_session_file_is_a_sentence(cli: Cli, config: Path) -> None:
    config.parent.mkdir(parents=True)
    config.write_text("{")
    assert "damaged" in cli("whoami", code=2).stderr


def test_projects_are_created_shown_listed_and_given_a_source(owner: Cli, dockerfile: str) -> None:
    owner("project", "create", "Web Shop", "--slug", "shop")
    assert owner.json("project", "show", "shop")["name"] == "Web Shop"
    assert "Web Shop" in owner("project", "list").stdout
    assert "archive" not in owner("project", "set-source", "shop", "--dockerfile", dockerfile).stdout
    assert owner.json("project", "show", "shop")["source_kind"] == "inline"
    owner("project", "set-source", "shop", "--dockerfile", dockerfile, "--git", "https://example.com/a", code=2)
    owner("project", "show", "nothing-like-it", code=4)
    assert "slug" in owner("project", "create", "Web Shop", "--slug", "shop", code=5).stderr


def test_a_secret_comes_from_standard_input_and_is_never_shown(owner: Cli, world: World) -> None:
    slug = world.project.slug
    told = owner("project", "secret", "add", slug, "npm-token", stdin="hunter2-hunter2\n")
    assert "hunter2" not in told.output
    shown = owner("project", "secret", "list", slug)
    assert "npm-token" in shown.stdout
    assert "hunter2" not in shown.stdout + json.dumps(owner.json("project", "secret", "list", slug))
    owner("project", "secret", "add", slug, "empty", stdin="", code=2)


def test_keys_are_made_listed_and_revoked_by_a_person_and_not_by_a_key(
    live_server: Any, world: World, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    _sign_in(cli, live_server, world)
    made = cli("key", "create", "robot", "--scope", "project:view", "--days", "1")
    text = made.stdout.strip()
    assert text.startswith("ifk_")
    assert text not in made.stderr
    key_id = next(k["id"] for k in cli.json("key", "list")["items"] if k["name"] == "robot")
    with monkeypatch.context() as robot:
        robot.setenv("IMAGEFACTORY_URL", live_server.url)
        robot.setenv("IMAGEFACTORY_TOKEN", text)
        cli("project", "list")
        cli("project", "create", "No", code=3)
        cli("key", "create", "another", code=3)
    cli("key", "revoke", key_id)
    assert key_id not in cli("key", "list").stdout
    monkeypatch.setenv("IMAGEFACTORY_URL", live_server.url)
    monkeypatch.setenv("IMAGEFACTORY_TOKEN", text)
    cli("project", "list", code=3)


def test_a_build_is_submitted_listed_shown_and_cancelled(owner: Cli, world: World, dockerfile: str) -> None:
    slug = world.project.slug
    build = owner.json(
        "build", "submit", slug, "--dockerfile", dockerfile, "--tag", "one", "--tag", "two", "--arg", "A=b=c"
    )
    assert build["status"] == "queued"
    assert build["trigger"] == "cli"
    assert build["manifest"]["tags"] == ["one", "two"]
    assert build["manifest"]["build_args"] == {"A": "b=c"}
    assert build["id"] in owner("build", "list", "--project", slug).stdout
    assert "Queued" in owner("build", "show", build["id"]).stdout
    owner("build", "cancel", build["id"])
    assert owner.json("build", "show", build["id"])["status"] == "cancelled"
    owner("build", "cancel", build["id"], code=5)
    owner("build", "show", "7", code=2)
    owner("build", "show", "00000000-0000-4000-8000-000000000000", code=4)


def test_the_only_project_need_not_be_named(owner: Cli, world: World, dockerfile: str) -> None:
    assert owner.json("build", "submit", "--dockerfile", dockerfile)["project_id"] == str(world.project.id)
    owner("project", "create", "Second")
    owner("build", "submit", "--dockerfile", dockerfile, code=2)


def test_a_dry_run_queues_nothing_and_tells_a_bad_build_by_its_exit_status(
    owner: Cli, world: World, dockerfile: str, tmp_path: Path
) -> None:
    slug = world.project.slug
    owner("build", "submit", slug, "--dockerfile", dockerfile, "--dry-run")
    owner("build", "dry-run", slug, "--dockerfile", dockerfile, "--secret", "not-there", code=5)
    assert owner.json("build", "list")["items"] == []
    (tmp_path / "Dockerfile.bad").write_text("FORM scratch\n")
    bad = owner.json("build", "dry-run", slug, "--dockerfile", str(tmp_path / "Dockerfile.bad"), code=5)
    assert bad["ok"] is False


def test_an_archive_is_uploaded_and_built(owner: Cli, world: World, tmp_path: Path) -> None:
    archive = tmp_path / "source.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        for name, text in {"Dockerfile": DOCKERFILE, "hello": "hi"}.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(text)
            tar.addfile(entry, io.BytesIO(text.encode()))
    build = owner.json("build", "submit", world.project.slug, "--archive", str(archive))
    assert build["manifest"]["source"]["kind"] == "archive"
    assert build["manifest"]["source"]["filename"] == "source.tar.gz"


@pytest.mark.parametrize(
    "argv",
    [
        ("--arg", "novalue", "--ref", "main"),
        ("--ref", "main", "--dockerfile", "Dockerfile"),
        ("--dockerfile", "no/such/file"),
        ("--archive", "no/such/file"),
    ],
)
def test_options_that_cannot_be_are_exit_status_2(owner: Cli, world: World, argv: tuple[str, ...]) -> None:
    assert owner("build", "submit", world.project.slug, *argv, code=2).stderr.count("\n") == 1


def test_bad_fields_are_named_in_the_sentence(owner: Cli, world: World, dockerfile: str) -> None:
    told = owner("build", "submit", world.project.slug, "--dockerfile", dockerfile, "--tag", "no good", code=5)
    assert "tags:" in told.stderr


def test_images_are_listed_and_a_missing_one_is_exit_status_4(owner: Cli) -> None:
    assert "No image yet." in owner("image", "list").stdout
    assert owner.json("image", "list")["items"] == []
    owner("image", "show", "nothing", code=4)
