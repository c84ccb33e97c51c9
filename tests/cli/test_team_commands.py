"""Commands about people, over real HTTP."""

from __future__ import annotations

from typing import Any

import pytest

from imagefactory.domain.identity import services
from imagefactory.domain.identity.models import CustomRole, Invitation, Membership
from tests.cli.conftest import Cli
from tests.conftest import PASSWORD, World

pytestmark = [pytest.mark.committed, pytest.mark.django_db(transaction=True)]


def test_people_are_invited_listed_and_their_invitations_cancelled(owner: Cli, world: World) -> None:
    made = owner(
        "invitations", "send", "a@example.org", "b@example.org", "--project", world.project.slug, "--role", "viewer"
    )
    links = [line for line in made.stdout.splitlines() if "/invite/" in line]
    assert len(links) == 2
    assert "sends no mail" in made.stderr
    found = owner.json("invitations", "list", "--state", "pending")["items"]
    assert {i["email"] for i in found} == {"a@example.org", "b@example.org"}
    owner("invitations", "cancel", found[0]["id"])
    owner("invitations", "resend", found[1]["id"])
    assert Invitation.objects.get(id=found[1]["id"]).version == 2
    refused = owner("invitations", "send", "a@example.org", "nobody", "--project", world.project.slug, code=5)
    assert "nobody is not an e-mail address" in refused.stderr


def test_roles_are_made_given_changed_and_replaced(owner: Cli, world: World) -> None:
    owner("roles", "create", "Release", "--permission", "build:view", "--permission", "project:view")
    member = world.actor("member").email
    owner("members", "role", member, "release", "--project", world.project.slug)
    assert "build:view" in owner("roles", "list").stdout
    owner("roles", "change", "Release", "--permission", "project:view")
    assert CustomRole.objects.get().permissions == ["project:view"]
    refused = owner("roles", "delete", "Release", code=5)
    assert "held by Member" in refused.stderr
    owner("roles", "delete", "Release", "--replacement", "viewer")
    assert world.actor("member").role == "viewer"


def test_members_are_listed_and_removed_and_the_last_owner_stays(owner: Cli, world: World) -> None:
    listed = owner.json("members", "list")
    assert listed["total"] == 4
    owner("members", "remove", world.actor("member").email, "--reason", "Moved on")
    assert Membership.objects.filter(tenant_id=world.tenant_id).count() == 3
    refused = owner("members", "role", world.actor("owner").email, "none", code=3)
    assert "An API key cannot make or unmake an owner" in refused.stderr
    owner("members", "remove", "nobody@example.org", code=2)


def test_access_is_asked_for_and_granted(live_server: Any, world: World, cli: Cli, config: object) -> None:
    from tests.security.callers import leave_other_tenants

    leave_other_tenants(world)
    cli("login", "--url", live_server.url, "--email", world.actor("viewer").email, stdin=PASSWORD + "\n")
    cli("access", "ask", "build:start", "--project", world.project.slug, "--message", "For the release")
    (asked,) = cli.json("access", "list")["items"]
    cli("login", "--url", live_server.url, "--email", world.actor("admin").email, stdin=PASSWORD + "\n")
    cli("access", "grant", asked["id"], "--role", "member")
    assert world.actor("viewer").role == "member"
    services.request_access(world.actor("viewer"), "build:cancel", world.project.id)
    (asked,) = cli.json("access", "list")["items"]
    cli("access", "decline", asked["id"], "--reason", "Not needed")
    cli("members", "leave")
    assert not Membership.objects.filter(tenant_id=world.tenant_id, user_id=world.users["admin"]).exists()
