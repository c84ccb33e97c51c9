"""Roles of a team's own: out of the enum, within their maker's rights, in force at once, never lost under someone's feet."""

from __future__ import annotations

import pytest
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext

from imagefactory.domain.identity import services
from imagefactory.domain.identity.errors import RoleHeld, RoleNotFound, StaleRole
from imagefactory.domain.identity.models import CustomRole, Invitation, RoleBinding
from imagefactory.domain.identity.permissions import Permission, SystemRole
from imagefactory.domain.identity.selectors.roles import RoleView, get_role, list_roles
from imagefactory.domain.projects.services import create_project
from imagefactory.kernel.errors import PermissionDenied, ValidationFailed
from imagefactory.kernel.outbox.models import OutboxEvent
from tests.conftest import World

READS = ["build:view", "project:view"]


def make(world: World, who: str = "owner", **changes: object) -> RoleView:
    asked = {"name": "Watcher", "scope": "project", "permissions": READS} | changes
    return services.create_role(world.actor(who), **asked)  # type: ignore[arg-type]


def hold(world: World, role: RoleView, who: str = "member") -> None:
    place = None if role.scope == "tenant" else world.project.id
    services.set_roles(world.actor("owner"), world.users[who], {place: str(role.id)})


@pytest.mark.parametrize("permission", list(Permission))
def test_each_permission_of_a_role_holds_where_it_is_held_and_nowhere_else(
    world: World, permission: Permission
) -> None:
    other = create_project(world.actor("owner"), name="Other")
    wide = make(world, name="Wide", scope="tenant", permissions=[permission])
    hold(world, wide, "viewer")
    viewer = world.actor("viewer")
    assert viewer.may(permission)
    assert viewer.may(permission, other.id)
    assert viewer.tenant_permissions == {str(permission)}
    if permission in {Permission.PROJECT_CREATE, Permission.BILLING_VIEW}:
        with pytest.raises(ValidationFailed) as caught:
            make(world, permissions=[permission])
        assert set(caught.value.fields) == {"permissions"}
        return
    hold(world, make(world, permissions=[permission]))
    member = world.actor("member")
    assert member.project_permissions == {world.project.id: {str(permission)}}
    assert not member.may(permission)
    assert not member.may(permission, other.id)


def test_all_that_is_wrong_is_told_at_once(world: World) -> None:
    with pytest.raises(ValidationFailed) as caught:
        make(world, name=" ", description="x" * 501, scope="world", permissions=["no:such"])
    assert set(caught.value.fields) == {"name", "description", "scope", "permissions"}
    for name in ("Owner", "ADMIN", "\uff4fwner", *SystemRole, "security reviewer", "two\nlines"):
        with pytest.raises(ValidationFailed):
            make(world, name=name)
    make(world)
    with pytest.raises(ValidationFailed):
        make(world, name="WATCHER")


def test_a_role_is_never_wider_than_its_maker(world: World) -> None:
    for who in ("member", "viewer"):
        with pytest.raises(PermissionDenied):
            make(world, who)
    assert make(world, "admin").permissions == READS
    for wider in ({"permissions": ["project:delete"]}, {"scope": "tenant"}):
        with pytest.raises(PermissionDenied):
            make(world, "admin", name="Wider", **wider)


def test_the_rights_of_two_projects_do_not_add_up_to_one_role(world: World) -> None:
    owner, other = world.actor("owner"), create_project(world.actor("owner"), name="Other")
    deleter = make(world, name="Deleter", permissions=["project:delete", "team:manage"])
    services.set_roles(owner, world.users["admin"], {other.id: str(deleter.id)})
    with pytest.raises(PermissionDenied):
        make(world, "admin", permissions=["build:cancel", "project:delete"])


def test_it_is_edited_only_by_those_who_hold_all_of_it_wherever_it_is_held(world: World) -> None:
    owner, admin = world.actor("owner"), world.actor("admin")
    role, other = make(world, "admin"), create_project(owner, name="Other")
    services.update_role(admin, role.id, name="Watcher", permissions=[*READS, "build:cancel"])
    with pytest.raises(PermissionDenied):
        services.update_role(admin, role.id, name="Watcher", permissions=[*READS, "project:delete"])
    services.set_project_role(owner, world.users["viewer"], other.id, str(role.id))
    for change in (lambda: services.update_role(admin, role.id, name="W", permissions=READS),
                   lambda: services.delete_role(admin, role.id, replacement="viewer")):  # fmt: skip
        with pytest.raises(PermissionDenied):
            change()
    services.update_role(owner, role.id, name="Watcher", permissions=[*READS, "project:delete"])
    services.set_project_role(owner, world.users["viewer"], other.id, None)
    with pytest.raises(PermissionDenied):  # wider than the admin by now, and so not theirs to narrow or to give
        services.update_role(admin, role.id, name="Watcher", permissions=READS)
    with pytest.raises(PermissionDenied):
        services.set_project_role(admin, world.users["member"], world.project.id, str(role.id))


def test_a_change_holds_on_the_next_request(world: World) -> None:
    role = make(world)
    hold(world, role)
    call = world.api("member")
    path = f"/projects/{world.project.slug}"
    assert call("get", path).status_code == 200
    services.update_role(world.actor("owner"), role.id, name="Watcher", permissions=["build:view"])
    assert call("get", path).status_code == 404
    event = OutboxEvent.objects.get(type="role.changed")
    assert event.payload["before"] == {"permissions": "build:view, project:view"}
    assert event.payload["after"] == {"permissions": "build:view"}


def test_two_who_change_it_do_not_overwrite_each_other(world: World) -> None:
    role, owner = make(world), world.actor("owner")
    services.update_role(owner, role.id, name="One", permissions=READS, if_version=role.version)
    with pytest.raises(StaleRole):
        services.update_role(owner, role.id, name="Two", permissions=READS, if_version=role.version)


def test_a_role_that_is_held_goes_only_with_another_in_its_place(world: World) -> None:
    owner, role = world.actor("owner"), make(world)
    hold(world, role)
    sent = services.invite(owner, addresses="n@example.org", role=str(role.id), projects=[world.project.id])[0]
    with pytest.raises(RoleHeld) as caught:
        services.delete_role(owner, role.id)
    assert "Member" in str(caught.value)
    wide = make(world, name="Wide", scope="tenant", permissions=["billing:view"])
    for wrong in ("owner", "nothing", str(role.id), str(wide.id)):
        with pytest.raises(ValidationFailed):
            services.delete_role(owner, role.id, replacement=wrong)
    services.delete_role(owner, role.id, replacement="viewer")
    assert world.actor("member").role == "viewer"
    assert Invitation.objects.get(id=sent.invitation.id).role == "viewer"
    with pytest.raises(RoleNotFound):
        get_role(owner, role.id)


def test_roles_of_another_team_do_not_exist(world: World) -> None:
    role, stranger = make(world), world.actor("stranger")
    assert list_roles(stranger) == []
    for act in (lambda: get_role(stranger, role.id), lambda: services.delete_role(stranger, role.id)):
        with pytest.raises(RoleNotFound):
            act()
    theirs = create_project(stranger, name="Theirs")
    with pytest.raises(ValidationFailed):
        services.set_project_role(stranger, stranger.person, theirs.id, str(role.id))


def test_what_a_row_should_not_hold_grants_nothing(world: World) -> None:
    role = make(world)
    hold(world, role)
    CustomRole.objects.filter(id=role.id).update(permissions=["administrator", "project:create", "project:view"])
    assert world.actor("member").project_permissions[world.project.id] == {"project:view"}
    CustomRole.objects.filter(id=role.id).update(scope="tenant")
    member = world.actor("member")
    assert not member.tenant_permissions
    assert not member.project_permissions[world.project.id]
    assert not member.system_roles


def test_the_database_refuses_a_binding_with_two_roles_or_none(world: World) -> None:
    role = make(world)
    binding = RoleBinding.objects.filter(user_id=world.users["member"])
    for wrong in ({"role": "member", "custom_role": role.id}, {"role": "", "custom_role": None}):
        with pytest.raises(IntegrityError), transaction.atomic():
            binding.update(**wrong)


def test_rights_are_read_in_one_query_however_many_roles_there_are(world: World) -> None:
    owner, counts = world.actor("owner"), []
    for n in range(3):
        for i in range(n * 5):
            project = create_project(owner, name=f"P {n} {i}")
            role = make(world, name=f"R {n} {i}")
            services.set_project_role(owner, world.users["member"], project.id, str(role.id))
        with CaptureQueriesContext(connection) as asked:
            world.actor("member")
        counts.append(len(asked))
    assert len(set(counts)) == 1
