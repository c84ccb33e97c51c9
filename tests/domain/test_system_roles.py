"""System roles: who may grant them, that they take effect at once, and that the last administrator stays."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable

import pytest
from django.db import connections

from imagefactory.domain.identity import selectors, services
from imagefactory.domain.identity.errors import LastAdministrator
from imagefactory.domain.identity.models import AuthSession, User
from imagefactory.domain.identity.permissions import SystemRole
from imagefactory.kernel.actor import Actor, system
from imagefactory.kernel.errors import FactoryError, NotFound, PermissionDenied, Unauthorized, ValidationFailed
from imagefactory.kernel.outbox.models import OutboxEvent
from tests.conftest import World, make_world

CLI = system("cli (root)")
WHY = "asked for in ticket 12"


def grant(user_id: uuid.UUID, role: SystemRole = SystemRole.ADMINISTRATOR) -> Actor:
    services.grant_system_role(CLI, user_id, role, reason=WHY)
    return selectors.outside_tenants(selectors.actor_for_user(user_id))


def test_a_role_is_granted_once_and_told_with_before_and_after(world: World) -> None:
    member = world.users["member"]
    assert services.grant_system_role(CLI, member, SystemRole.SECURITY_REVIEWER, reason=WHY)
    assert not services.grant_system_role(CLI, member, SystemRole.SECURITY_REVIEWER, reason=WHY)
    event = OutboxEvent.objects.get(type="member.system_role_granted")
    assert (event.payload["before"], event.payload["after"], event.payload["reason"]) == (
        [],
        ["security_reviewer"],
        WHY,
    )
    assert (event.actor_kind, event.actor_name) == ("system", "cli (root)")
    assert world.actor("member").is_reviewer
    assert services.revoke_system_role(CLI, member, SystemRole.SECURITY_REVIEWER, reason=WHY)
    assert not world.actor("member").is_reviewer


@pytest.mark.parametrize("role", ["owner", "admin", "member", "viewer", "stranger"])
def test_who_holds_no_system_role_grants_none(world: World, role: str) -> None:
    with pytest.raises(NotFound):
        services.grant_system_role(world.actor(role), world.users[role], SystemRole.ADMINISTRATOR, reason=WHY)
    assert not world.actor(role).system_roles


@pytest.mark.parametrize("held", [SystemRole.READ_ONLY_ADMINISTRATOR, SystemRole.SECURITY_REVIEWER])
def test_the_other_system_roles_grant_none(world: World, held: SystemRole) -> None:
    actor = grant(world.users["member"], held)
    for act in (services.grant_system_role, services.revoke_system_role):
        with pytest.raises(PermissionDenied):
            act(actor, world.users["member"], SystemRole.ADMINISTRATOR, reason=WHY)


def test_a_key_of_an_administrator_carries_no_system_role(world: World) -> None:
    User.objects.filter(id=world.users["owner"]).update(is_system_admin=True)
    key = selectors.actor_for_token(services.create_api_key(world.actor("owner"), name="k")[1])
    assert key.system_roles == frozenset()
    with pytest.raises(NotFound):
        services.grant_system_role(key, world.users["owner"], SystemRole.SECURITY_REVIEWER, reason=WHY)


def test_the_last_administrator_stays(world: World) -> None:
    boss = grant(world.users["owner"])
    for act in (
        lambda: services.revoke_system_role(boss, boss.person, SystemRole.ADMINISTRATOR, reason=WHY),
        lambda: services.revoke_system_role(CLI, boss.person, SystemRole.ADMINISTRATOR, reason=WHY),
        lambda: services.suspend_account(boss, boss.person, reason=WHY),
    ):
        with pytest.raises(LastAdministrator):
            act()
    grant(world.users["admin"])
    services.suspend_account(boss, world.users["admin"], reason=WHY)  # who is out counts for nothing
    with pytest.raises(LastAdministrator):
        services.revoke_system_role(boss, boss.person, SystemRole.ADMINISTRATOR, reason=WHY)
    grant(world.users["member"])
    assert services.revoke_system_role(boss, boss.person, SystemRole.ADMINISTRATOR, reason=WHY)


def test_a_suspended_account_is_out_at_once_and_comes_back_with_its_roles(world: World) -> None:
    boss, member = grant(world.users["owner"]), world.users["member"]
    token = services.open_session(boss, member).access
    key = services.create_api_key(world.actor("member"), name="k")[1]
    services.suspend_account(boss, member, reason=WHY)
    for text in (token, key):
        with pytest.raises(Unauthorized):
            selectors.actor_for_token(text, world.tenant_slug)
    with pytest.raises(Unauthorized):
        world.actor("member")
    services.restore_account(boss, member, reason=WHY)
    assert world.actor("member").role == "member"
    assert selectors.actor_for_token(key).role == "member"
    with pytest.raises(Unauthorized):
        selectors.actor_for_token(token, world.tenant_slug)
    assert AuthSession.objects.filter(user_id=member, revoked_at=None).count() == 0


def test_a_person_is_signed_out_everywhere(world: World, client: object) -> None:
    from django.test import Client

    boss, browser = grant(world.users["owner"]), Client()
    browser.force_login(User.objects.get(id=world.users["member"]))
    token = services.open_session(boss, world.users["member"]).access
    assert browser.get("/me/profile").status_code == 200
    services.end_sessions(boss, world.users["member"], reason=WHY)
    assert browser.get("/me/profile").status_code == 302
    with pytest.raises(Unauthorized):
        selectors.actor_for_token(token, world.tenant_slug)


def test_reasons_are_needed(world: World) -> None:
    boss = grant(world.users["owner"])
    acts: list[Callable[[], object]] = [
        lambda: services.grant_system_role(boss, world.users["member"], SystemRole.ADMINISTRATOR, reason=""),
        lambda: services.suspend_account(boss, world.users["member"], reason=" "),
        lambda: services.end_sessions(boss, world.users["member"], reason="x"),
    ]
    for act in acts:
        with pytest.raises(ValidationFailed):
            act()


def _at_once(*acts: Callable[[], object]) -> list[str]:
    """Do all of them at the same moment in threads of their own, and return the names of what was refused."""
    start, refused = threading.Barrier(len(acts)), list[str]()

    def run(act: Callable[[], object]) -> None:
        start.wait(10)
        try:
            act()
        except FactoryError as error:
            refused.append(type(error).__name__)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run, args=(act,)) for act in acts]
    for t in threads:
        t.start()
    for t in threads:
        t.join(30)
    return refused


@pytest.mark.committed
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("round_", range(3))
def test_two_administrators_who_remove_each_other_at_once_leave_one(round_: int) -> None:
    world = make_world()
    one, two = grant(world.users["owner"]), grant(world.users["admin"])
    refused = _at_once(
        lambda: services.revoke_system_role(one, two.person, SystemRole.ADMINISTRATOR, reason=WHY),
        lambda: services.revoke_system_role(two, one.person, SystemRole.ADMINISTRATOR, reason=WHY),
    )
    assert refused == ["PermissionDenied"]
    assert User.objects.filter(is_system_admin=True, is_active=True).count() == 1


@pytest.mark.committed
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("round_", range(3))
def test_two_administrators_who_step_back_at_once_leave_one(round_: int) -> None:
    world = make_world()
    one, two = grant(world.users["owner"]), grant(world.users["admin"])
    refused = _at_once(
        lambda: services.revoke_system_role(one, one.person, SystemRole.ADMINISTRATOR, reason=WHY),
        lambda: services.suspend_account(two, two.person, reason=WHY),
    )
    assert refused == ["LastAdministrator"]
    assert User.objects.filter(is_system_admin=True, is_active=True).count() == 1
