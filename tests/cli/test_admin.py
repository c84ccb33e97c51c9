"""The administration from the command line: the first administrator by the database, the rest over the API."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.db import connection

from imagefactory.domain.identity.models import Tenant, User
from imagefactory.entry.jobs.tenant_export import make_export
from imagefactory.kernel.outbox.models import OutboxEvent
from tests.cli.conftest import Cli
from tests.conftest import PASSWORD, World

pytestmark = [pytest.mark.committed, pytest.mark.django_db(transaction=True)]
WHY = ("--reason", "asked for in ticket 12")


@pytest.fixture
def same_database(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let processes that a command starts work in the database of the tests."""
    import os

    url = os.environ["IMAGEFACTORY_TEST_DATABASE_URL"]
    name = str(connection.settings_dict["NAME"])
    monkeypatch.setenv("IMAGEFACTORY_TEST_DATABASE_URL", url.replace("/imagefactory?", f"/{name}?"))
    source = Path(__file__).resolve().parents[2] / "src"
    monkeypatch.setenv("PYTHONPATH", str(source))


@pytest.fixture
def boss(live_server: Any, world: World, cli: Cli, same_database: None) -> Cli:
    email = User.objects.get(id=world.users["stranger"]).email
    cli("admin", "grant", email, "administrator")
    cli("login", "--url", live_server.url, "--email", email, stdin=PASSWORD + "\n")
    return cli


def test_the_first_administrator_is_made_in_the_database_and_the_last_one_stays(
    world: World, cli: Cli, same_database: None
) -> None:
    assert "Nobody holds a system role" in cli("admin", "list").stdout
    email = User.objects.get(id=world.users["owner"]).email
    assert "is administrator now" in cli("admin", "grant", email.upper(), "administrator", *WHY).stdout
    assert "already" in cli("admin", "grant", email, "administrator", *WHY).stdout
    event = OutboxEvent.objects.get(type="member.system_role_granted")
    assert event.actor_kind == "system"
    assert event.actor_name.startswith("cli (")
    assert event.payload["reason"] == "asked for in ticket 12"
    assert f"{email}\tadministrator\tactive" in cli("admin", "list").stdout
    assert "last administrator" in cli("admin", "revoke", email, "administrator", code=3).stderr
    assert "Nobody has an account" in cli("admin", "grant", "no@example.com", "administrator", code=4).stderr
    assert "no system role" in cli("admin", "grant", email, "king", code=2).stderr


def test_an_administrator_steers_tenants(world: World, boss: Cli) -> None:
    slug = world.tenant_slug
    assert slug in boss("admin", "tenants").stdout
    boss("admin", "suspend", slug, *WHY)
    assert Tenant.objects.get(slug=slug).state == "suspended"
    assert "cannot become" in boss("admin", "suspend", slug, *WHY, code=5).stderr
    boss("admin", "lift", slug, *WHY)
    assert "1 switched" in boss("admin", "capability", "build", "off", slug, *WHY).stdout
    assert not Tenant.objects.get(slug=slug).may_build
    assert boss.json("admin", "users", "--search", "owner")["total"] >= 1
    boss("admin", "user", "suspend", str(world.users["member"]), *WHY)
    assert not User.objects.get(id=world.users["member"]).is_active


def test_what_is_off_says_the_same_sentence_on_the_command_line(world: World, owner: Cli, tmp_path: Path) -> None:
    Tenant.objects.filter(slug=world.tenant_slug).update(may_build=False)
    file = tmp_path / "Dockerfile"
    file.write_text("FROM scratch\n")
    refused = owner("build", "submit", world.project.slug, "--dockerfile", str(file), code=3)
    assert f"Building images is switched off for the team {world.tenant_slug}." in refused.stderr


def test_an_owner_sees_changes_exports_and_keeps_the_tenant(
    live_server: Any, world: World, cli: Cli, tmp_path: Path
) -> None:
    slug = world.tenant_slug
    cli("login", "--url", live_server.url, "--email", world.actor("owner").email, stdin=PASSWORD + "\n")
    assert slug in cli("tenants", "list").stdout
    cli("tenants", "set", slug, "--name", "Payments")
    assert cli.json("tenants", "show", slug)["name"] == "Payments"
    export = cli.json("tenants", "export", slug)["items"][0]["id"]
    make_export(export)
    target = tmp_path / "all.zip"
    cli("tenants", "download", slug, export, str(target))
    assert target.read_bytes().startswith(b"PK")
    assert "there already" in cli("tenants", "download", slug, export, str(target), code=2).stderr
    cli("tenants", "delete", slug, "--confirm", slug, *WHY)
    assert Tenant.objects.get(slug=slug).state == "deleting"
    cli("tenants", "keep", slug, *WHY)
    assert Tenant.objects.get(slug=slug).state == "active"
