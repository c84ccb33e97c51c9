"""Asking for access: told to those who can grant it, bounded, decided once."""

from __future__ import annotations

import uuid

import pytest

from imagefactory.domain.identity import selectors, services
from imagefactory.domain.identity.errors import AccessRequestNotFound, AlreadyDecided
from imagefactory.domain.identity.models import AccessRequest
from imagefactory.domain.identity.selectors.access_requests import list_access_requests
from imagefactory.domain.identity.selectors.members import who_can_grant
from imagefactory.domain.projects.services import create_project, delete_project
from imagefactory.kernel.errors import Conflict, PermissionDenied, RateLimited, ValidationFailed
from imagefactory.kernel.outbox.models import OutboxEvent
from tests.conftest import World


def ask(world: World, who: str = "viewer", permission: str = "build:start") -> uuid.UUID:
    return services.request_access(world.actor(who), permission, world.project.id, message="For the release").id


def test_it_goes_to_the_owners_and_to_admins_who_hold_it(world: World) -> None:
    place = world.project.id
    assert {p.name for p in who_can_grant(world.tenant_id, "build:start", place)} == {"Admin", "Owner"}
    assert {p.name for p in who_can_grant(world.tenant_id, "project:delete", place)} == {"Owner"}
    assert {p.name for p in who_can_grant(world.tenant_id, "project:view", None)} == {"Owner"}


def test_granting_gives_the_smallest_role_that_has_it_and_takes_nothing_away(world: World) -> None:
    asked = ask(world)
    assert [r.id for r in list_access_requests(world.actor("admin"), state="open")] == [asked]
    assert services.grant_access(world.actor("admin"), asked) == "admin"  # a viewer has analytics, a member has not
    assert world.actor("viewer").may("build:start", world.project.id)
    with pytest.raises(AlreadyDecided):
        services.decline_access(world.actor("owner"), asked)
    event = OutboxEvent.objects.get(type="access.decided")
    assert (event.payload["decision"], event.payload["role"]) == ("granted", "admin")


def test_another_role_may_be_given_as_long_as_it_has_the_permission(world: World) -> None:
    asked = ask(world)
    with pytest.raises(ValidationFailed):
        services.grant_access(world.actor("owner"), asked, role="viewer")
    assert services.grant_access(world.actor("owner"), asked, role="member") == "member"


def test_once_a_day_and_not_for_what_is_there_or_unknown(world: World) -> None:
    asked = ask(world)
    with pytest.raises(Conflict):
        ask(world)
    services.decline_access(world.actor("owner"), asked, reason="Not now")
    with pytest.raises(RateLimited):
        ask(world)
    with pytest.raises(Conflict):
        ask(world, "admin")
    with pytest.raises(ValidationFailed) as caught:
        services.request_access(world.actor("viewer"), "no:such", world.project.id, message="x" * 501)
    assert set(caught.value.fields) == {"permission", "message"}
    with pytest.raises(PermissionDenied):
        services.request_access(selectors.actor_for_token(world.token("viewer")), "build:cancel", world.project.id)


def test_only_those_who_manage_there_decide_and_nobody_beyond_their_rights(world: World) -> None:
    asked, wide = ask(world), ask(world, permission="project:delete")
    for who in ("member", "viewer"):
        with pytest.raises(AccessRequestNotFound):
            services.grant_access(world.actor(who), asked)
    with pytest.raises(AccessRequestNotFound):
        services.grant_access(world.actor("stranger"), asked)
    with pytest.raises(ValidationFailed):  # no role for projects has it
        services.grant_access(world.actor("admin"), wide)
    closer = services.create_role(world.actor("owner"), name="Closer", scope="project", permissions=["project:delete"])
    with pytest.raises(PermissionDenied):
        services.grant_access(world.actor("admin"), wide, role=str(closer.id))
    assert AccessRequest.objects.filter(state="open").count() == 2


def test_a_member_without_a_project_asks_for_one_and_the_decider_says_which(world: World) -> None:
    owner = world.actor("owner")
    services.set_project_role(owner, world.users["viewer"], world.project.id, None)
    asked = services.request_access(world.actor("viewer"), "project:view").id
    assert list_access_requests(world.actor("admin")) == []
    with pytest.raises(ValidationFailed):
        services.grant_access(owner, asked)
    services.grant_access(owner, asked, role="member", project_id=world.project.id)
    assert world.actor("viewer").role == "member"


def test_it_ends_with_the_project_and_with_the_membership(world: World) -> None:
    owner = world.actor("owner")
    doomed = create_project(owner, name="Doomed")
    services.set_project_role(owner, world.users["viewer"], doomed.id, "viewer")
    services.request_access(world.actor("viewer"), "build:start", doomed.id)
    ask(world, "member", "build:cancel")
    delete_project(owner, doomed.id, confirm=doomed.slug)
    services.remove_member(owner, world.users["member"])
    assert set(AccessRequest.objects.values_list("state", flat=True)) == {"declined"}
