"""Keys, service accounts and networks on the command line, over real HTTP, as a person who has signed in."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from imagefactory.domain.identity import services
from imagefactory.domain.identity.models import User
from tests.cli.conftest import Cli
from tests.conftest import World

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def signed_in(live_server: Any, world: World, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> Cli:
    """Return a command line with the access token of the owner: a key may not do what is tested here."""
    monkeypatch.setenv("IMAGEFACTORY_URL", live_server.url)
    access = services.open_session(world.actor("owner"), world.users["owner"]).access
    monkeypatch.setenv("IMAGEFACTORY_TOKEN", access)
    return cli


def test_a_key_is_limited_to_a_project_rotated_and_listed_with_everyones(signed_in: Cli, world: World) -> None:
    made = signed_in.json("key", "create", "robot", "--project", world.project.slug, "--note", "build server")
    other = signed_in("key", "rotate", made["id"], "--hours", "2")
    assert other.stdout.strip().startswith("ifk_")
    assert "The old key works until" in other.stderr
    signed_in("key", "rotate", made["id"], code=5)
    services.create_api_key(world.actor("member"), name="theirs")
    everyones = signed_in.json("key", "list", "--all")["items"]
    assert {k["holder"] for k in everyones} == {"Owner", "Member"}
    mine = {k["id"]: k for k in signed_in.json("key", "list")["items"]}
    assert (mine[made["id"]]["note"], mine[made["id"]]["replaced"]) == ("build server", True)
    signed_in("key", "create", "robot", "--project", "never-was", code=4)


def test_a_service_account_from_its_making_to_its_end(signed_in: Cli, world: World) -> None:
    signed_in(
        "service-account", "create", "ci-deploy", "--contact", "ops@example.com", "--role", "member",
        "--project", world.project.slug,
    )  # fmt: skip
    key = signed_in("service-account", "key", "CI-Deploy", "pipeline").stdout.strip()
    assert key.startswith("ifk_")
    assert [k["name"] for k in signed_in.json("service-account", "keys", "ci-deploy")["items"]] == ["pipeline"]
    assert "ci-deploy" in signed_in("service-account", "list").stdout
    signed_in("service-account", "disable", "ci-deploy")
    assert signed_in.json("service-account", "list")["items"][0]["disabled"] is True
    signed_in("service-account", "enable", "ci-deploy")
    signed_in("service-account", "delete", "ci-deploy")
    signed_in("service-account", "delete", "ci-deploy", code=4)


def test_a_list_of_networks_from_a_file_and_cleared_by_an_administrator(
    signed_in: Cli, world: World, tmp_path: Path
) -> None:
    file = tmp_path / "networks"
    file.write_text("127.0.0.0/8 this machine\n\n::1\n")
    signed_in("network", "set", str(file), "--sessions")
    found = signed_in.json("network", "show")
    assert [(n["cidr"], n["note"]) for n in found["networks"]] == [("127.0.0.0/8", "this machine"), ("::1/128", "")]
    file.write_text("192.0.2.0/24")
    signed_in("network", "set", str(file), code=5)
    signed_in("network", "set", str(file), "--confirm")
    signed_in("network", "clear", world.tenant_slug, code=4)
    User.objects.filter(id=world.users["owner"]).update(is_system_admin=True)
    signed_in("network", "clear", world.tenant_slug)
    assert signed_in.json("network", "show")["networks"] == []
