"""Members: roles within one's own rights, removal that holds at once, and a team that always keeps an owner."""

from __future__ import annotations

import uuid

import pytest
from allauth.mfa.models import Authenticator

from imagefactory.domain.identity import selectors, services
from imagefactory.domain.identity.errors import LastOwner, MemberNotFound, TenantNotFound
from imagefactory.domain.identity.models import ApiKey, Invitation, Membership, RoleBinding, User
from imagefactory.domain.identity.selectors.members import get_member, list_members, people_of_project, removal_of
from imagefactory.domain.projects.services import create_project
from imagefactory.kernel.errors import PermissionDenied, Unauthorized, ValidationFailed
from imagefactory.kernel.outbox.models import OutboxEvent
from tests.conftest import World


def own(world: World, role: str) -> None:
    """Make one of the world's people an owner."""
    services.set_roles(world.actor("owner"), world.users[role], {None: "owner"})


def test_members_see_names_and_those_who_manage_see_addresses_too(world: World) -> None:
    for role, told in (("viewer", False), ("member", False), ("admin", True), ("owner", True)):
        found, _ = list_members(world.actor(role))
        assert len(found) == 4
        others = [m for m in found if m.id != world.users[role]]
        assert all(bool(m.email) is told for m in others)
        assert next(m for m in found if m.id == world.users[role]).email


def test_nobody_learns_of_roles_in_projects_that_they_may_not_see(world: World) -> None:
    hidden = create_project(world.actor("owner"), name="Hidden")
    services.set_project_role(world.actor("owner"), world.users["member"], hidden.id, "admin")
    seen = get_member(world.actor("admin"), world.users["member"])
    assert {h.project_id for h in seen.roles} == {world.project.id}
    assert not list_members(world.actor("viewer"), project_id=hidden.id)[0]
    assert len(get_member(world.actor("owner"), world.users["member"]).roles) == 2


def test_search_and_role_narrow_the_list_and_pages_follow_each_other(world: World) -> None:
    owner = world.actor("owner")
    assert [m.name for m in list_members(owner, search="VIEW")[0]] == ["Viewer"]
    assert [m.name for m in list_members(owner, search=world.actor("admin").email[:9])[0]] == ["Admin"]
    assert list_members(world.actor("viewer"), search="@example.com")[0] == []
    assert [m.name for m in list_members(owner, role="admin")[0]] == ["Admin"]
    assert list_members(owner, role="no-such-role")[0] == []
    names, after = [], ""
    while True:
        page, after = list_members(owner, after=after, limit=1)
        names += [m.name for m in page]
        if not after:
            break
    assert names == ["Admin", "Member", "Owner", "Viewer"]


def test_several_places_change_together_or_not_at_all(world: World) -> None:
    owner, member = world.actor("owner"), world.users["member"]
    other = create_project(owner, name="Other")
    services.set_roles(owner, member, {world.project.id: "viewer", other.id: "admin"})
    assert world.actor("member").may("team:manage", other.id)
    with pytest.raises(ValidationFailed):
        services.set_roles(owner, member, {world.project.id: "", other.id: "owner"})
    assert world.actor("member").may("project:view", world.project.id)


def test_the_same_role_again_changes_nothing_and_says_nothing(world: World) -> None:
    before = OutboxEvent.objects.count()
    services.set_project_role(world.actor("owner"), world.users["member"], world.project.id, "member")
    assert OutboxEvent.objects.count() == before


def test_an_admin_gives_and_takes_within_their_projects_only(world: World) -> None:
    admin, member = world.actor("admin"), world.users["member"]
    other = create_project(world.actor("owner"), name="Other")
    services.set_project_role(admin, member, world.project.id, "admin")
    elsewhere: list[dict[uuid.UUID | None, str]] = [{other.id: "viewer"}, {None: "owner"}]
    for wanted in elsewhere:
        with pytest.raises(PermissionDenied):
            services.set_roles(admin, member, wanted)
    with pytest.raises(PermissionDenied):
        services.set_roles(admin, world.users["owner"], {None: ""})


def test_an_admin_does_not_take_away_a_role_wider_than_their_own(world: World) -> None:
    owner = world.actor("owner")
    wide = services.create_role(owner, name="Closer", scope="project", permissions=["project:view", "project:delete"])
    services.set_project_role(owner, world.users["member"], world.project.id, str(wide.id))
    with pytest.raises(PermissionDenied):
        services.set_project_role(world.actor("admin"), world.users["member"], world.project.id, "viewer")
    with pytest.raises(PermissionDenied):
        services.remove_member(world.actor("admin"), world.users["member"])


def test_removal_holds_from_the_next_request_on(world: World) -> None:
    token, member = world.token("member"), world.users["member"]
    call = world.api("member")
    assert call("get", "/builds").status_code == 200
    services.remove_member(world.actor("owner"), member, reason="Left the company")
    assert call("get", "/builds").status_code == 401
    with pytest.raises(Unauthorized):
        selectors.actor_for_token(token)
    with pytest.raises(TenantNotFound):
        world.actor("member")
    with pytest.raises(MemberNotFound):
        get_member(world.actor("owner"), member)
    event = OutboxEvent.objects.get(type="member.removed")
    assert event.payload["user_id"] == str(member)
    assert event.payload["reason"] == "Left the company"
    assert event.payload["keys_revoked"] == 2


def test_who_comes_back_does_not_find_old_keys_working(world: World) -> None:
    token, member = world.token("member"), world.users["member"]
    services.remove_member(world.actor("owner"), member)
    Membership.objects.create(tenant_id=world.tenant_id, user_id=member)
    with pytest.raises(Unauthorized):
        selectors.actor_for_token(token)


def test_what_a_removal_would_do_is_counted_and_is_what_it_does(world: World) -> None:
    admin = world.users["admin"]
    world.token("admin")
    services.invite(world.actor("admin"), addresses="nora@example.org", role="viewer", projects=[world.project.id])
    effect = removal_of(world.actor("owner"), admin)
    assert (effect.keys, effect.invitations, effect.projects_without_admin, effect.last_owner) == (
        1, 1, [world.project.id], False,
    )  # fmt: skip
    services.remove_member(world.actor("owner"), admin)
    assert Invitation.objects.get().state == "cancelled"
    assert not ApiKey.objects.filter(user_id=admin, revoked_at=None).exists()
    assert not RoleBinding.objects.filter(user_id=admin, tenant_id=world.tenant_id).exists()
    assert User.objects.filter(id=admin).exists()


def test_an_admin_removes_those_whose_roles_are_all_theirs_to_give(world: World) -> None:
    other = create_project(world.actor("owner"), name="Other")
    services.set_project_role(world.actor("owner"), world.users["viewer"], other.id, "viewer")
    with pytest.raises(PermissionDenied):
        services.remove_member(world.actor("admin"), world.users["viewer"])
    with pytest.raises(PermissionDenied):
        services.remove_member(world.actor("admin"), world.users["owner"])
    services.remove_member(world.actor("admin"), world.users["member"])
    for role in ("viewer", "stranger"):
        with pytest.raises((PermissionDenied, MemberNotFound)):
            services.remove_member(world.actor(role), world.users["admin"])


def test_the_last_owner_stays_whatever_way_out_they_try(world: World) -> None:
    owner, me = world.actor("owner"), world.users["owner"]
    for way in (
        lambda: services.leave_team(owner),
        lambda: services.remove_member(owner, me),
        lambda: services.set_roles(owner, me, {None: ""}),
    ):
        with pytest.raises(LastOwner) as caught:
            way()
        assert caught.value.code == "last_owner"
    assert removal_of(owner, me).last_owner


def test_ownership_is_handed_over_by_making_an_owner_and_stepping_down(world: World) -> None:
    own(world, "admin")
    services.set_roles(world.actor("owner"), world.users["owner"], {world.project.id: "member", None: ""})
    assert world.actor("admin").role == "owner"
    assert world.actor("owner").role == "member"
    services.leave_team(world.actor("owner"))
    with pytest.raises(LastOwner):
        services.leave_team(world.actor("admin"))


def test_an_owner_whose_account_is_off_does_not_count(world: World) -> None:
    own(world, "admin")
    User.objects.filter(id=world.users["admin"]).update(is_active=False)
    with pytest.raises(LastOwner):
        services.leave_team(world.actor("owner"))


def test_a_key_takes_nobody_out_of_a_team_by_leaving(world: World) -> None:
    with pytest.raises(PermissionDenied):
        services.leave_team(selectors.actor_for_token(world.token("member")))


def test_the_people_of_a_project_are_those_with_a_role_there_and_the_owners(world: World) -> None:
    other = create_project(world.actor("owner"), name="Other")
    assert [m.name for m in people_of_project(world.actor("owner"), other.id)] == ["Owner"]
    names = [m.name for m in people_of_project(world.actor("viewer"), world.project.id)]
    assert names == ["Admin", "Member", "Owner", "Viewer"]


def test_activity_is_noted_once_in_a_while(world: World) -> None:
    member = world.actor("member")
    services.note_activity(member)
    first = Membership.objects.get(tenant_id=world.tenant_id, user_id=member.person).last_active_at
    services.note_activity(member)
    assert first is not None
    assert Membership.objects.get(tenant_id=world.tenant_id, user_id=member.person).last_active_at == first


def test_managers_see_who_has_a_second_factor_and_others_do_not(world: World) -> None:
    member = world.users["member"]
    Authenticator.objects.create(user_id=member, type="totp", data={"secret": "x"})
    Authenticator.objects.create(user_id=world.users["viewer"], type="recovery_codes", data={})
    told = {m.id: m.second_factor for m in list_members(world.actor("owner"))[0]}
    assert told == {u: u == member for u in told}
    assert {m.second_factor for m in list_members(world.actor("viewer"))[0]} == {None}
