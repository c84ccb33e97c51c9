"""Sign-in through a directory, against a real slapd with TLS: search, bind, groups, and a directory that is down."""

from __future__ import annotations

import dataclasses
import threading
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.db import connections
from django.test import Client

from imagefactory.domain.identity import services
from imagefactory.domain.identity.errors import DirectoryUnavailable, WrongCredentials
from imagefactory.domain.identity.models import ExternalIdentity, Membership, ProviderGrant, RoleBinding, User
from imagefactory.domain.identity.selectors import ProviderConnection, RoleRow, connection
from imagefactory.domain.identity.services import ProviderForm
from imagefactory.domain.identity.services.directory import knows, sign_in_to_directory
from imagefactory.domain.identity.services.provider_checks import check_provider
from imagefactory.entry.jobs.directories import look_who_left
from tests.conftest import World, make_world
from tests.parties.certificates import self_signed
from tests.parties.directory import ADMIN, ADMIN_PASSWORD, BASE, PASSWORD, Directory, directory
from tests.parties.processes import free_port
from tests.sso.parts import administrator, email_of

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Directory]:
    with directory(Path(tmp_path_factory.mktemp("slapd"))) as running:
        yield running


@pytest.fixture(autouse=True)
def empty(server: Directory) -> None:
    server.clear()


def settings(server: Directory, **more: Any) -> dict[str, Any]:
    return {
        "url": server.url, "ca_certificate": server.authority, "bind_dn": ADMIN, "user_base": f"ou=people,{BASE}",
        "group_base": f"ou=groups,{BASE}", **more,
    }  # fmt: skip


def form(server: Directory, *roles: RoleRow, configuration: dict[str, Any] | None = None, **more: Any) -> ProviderForm:
    return ProviderForm(
        "Directory", settings(server, **(configuration or {})), domains=["example.com"], secret=ADMIN_PASSWORD,
        roles=roles, **more,
    )  # fmt: skip


def provider(world: World, server: Directory, *roles: RoleRow, **more: Any) -> uuid.UUID:
    return services.create_provider(world.actor("owner"), "ldap", form(server, *roles, **more))


def plain(server: Directory, **more: Any) -> ProviderConnection:
    """Return a connection without a row, for what only speaks with the directory."""
    from imagefactory.domain.identity.services.provider_settings import cleaned

    return ProviderConnection(
        uuid.uuid4(), None, "", "ldap", "Directory", cleaned("ldap", settings(server, **more)), ADMIN_PASSWORD
    )


def enter(made: uuid.UUID, username: str, password: str = PASSWORD, browser: Client | None = None) -> Any:
    browser = browser or Client(raise_request_exception=False)
    return browser.post(f"/sso/{made}/directory", {"username": username, "password": password})


def roles_of(world: World, role: str) -> list[tuple[str, uuid.UUID | None]]:
    found = RoleBinding.objects.filter(tenant_id=world.tenant_id, user_id=world.users[role])
    return sorted(found.values_list("role", "project_id"))


def test_a_member_comes_in_with_their_name_and_password(world: World, server: Directory) -> None:
    server.add_person("mia", email_of(world, "member"))
    made, browser = provider(world, server), Client()
    assert b"this directory only" in browser.get(f"/sso/{made}/start", follow=True).content
    assert enter(made, "mia", browser=browser)["Location"] == f"/t/{world.tenant_slug}/"
    assert browser.get(f"/t/{world.tenant_slug}/").status_code == 200
    assert browser.get("/me/profile").status_code == 403


@pytest.mark.parametrize(
    ("username", "password"),
    [
        ("mia", "wrong"),
        ("mia", ""),
        ("mia", "\0"),
        ("", PASSWORD),
        ("nobody", PASSWORD),
        ("*", PASSWORD),
        ("mia)(uid=*", PASSWORD),
        ("*)(|(uid=*))", PASSWORD),
        ("m\\69a\0", PASSWORD),
        (f"uid=mia,ou=people,{BASE}", PASSWORD),
        ("mia" * 200, PASSWORD),
    ],
)
def test_nobody_else_gets_in(world: World, server: Directory, username: str, password: str) -> None:
    server.add_person("mia", email_of(world, "member"))
    answer = enter(provider(world, server), username, password)
    assert answer.status_code == 422
    assert b"The name or the password is wrong" in answer.content
    assert not ExternalIdentity.objects.exists()


def test_an_empty_password_never_binds_though_the_directory_would_say_yes(server: Directory) -> None:
    import ldap

    dn = server.add_person("mia", "mia@example.com")
    raw = ldap.initialize(f"ldap://127.0.0.1:{server.plain}")
    server.change(f"dn: {dn}\nchangetype: modify\nreplace: userPassword\nuserPassword: x\n")
    raw.simple_bind_s("", "")  # what the trap is made of: a bind without a name succeeds
    with pytest.raises(WrongCredentials):
        sign_in_to_directory(plain(server), "mia", "")


def test_two_people_under_one_name_are_nobody(server: Directory) -> None:
    server.add_person("mia", "mia@example.com")
    server.add_person("max", "max@example.com")
    with pytest.raises(WrongCredentials):
        sign_in_to_directory(plain(server, user_filter="(|(uid=%(user)s)(sn=One))"), "mia", PASSWORD)


def test_roles_follow_the_groups_on_each_sign_in_and_only_those_that_came_from_there(
    world: World, server: Directory
) -> None:
    mia = server.add_person("mia", email_of(world, "member"))
    builders, bosses = server.add_group("builders", mia), server.add_group("bosses", mia)
    RoleBinding.objects.filter(tenant_id=world.tenant_id, user_id=world.users["member"]).delete()
    other = uuid.uuid4()
    RoleBinding.objects.create(
        tenant_id=world.tenant_id, user_id=world.users["member"], project_id=other, role="viewer"
    )
    made = provider(
        world, server,
        RoleRow(world.tenant_id, "builders", "member", world.project.id),
        RoleRow(world.tenant_id, bosses, "owner", None),
        RoleRow(world.tenant_id, "bosses", "admin", other),
    )  # fmt: skip
    assert enter(made, "mia").status_code == 302
    by_hand = ("viewer", other)
    assert roles_of(world, "member") == sorted([("owner", None), ("member", world.project.id), by_hand], key=str)
    server.set_members(bosses)
    assert enter(made, "mia").status_code == 302
    assert roles_of(world, "member") == sorted([("member", world.project.id), by_hand])
    server.set_members(builders)
    assert enter(made, "mia").status_code == 302
    assert roles_of(world, "member") == [by_hand]
    assert not ProviderGrant.objects.exists()


def test_the_last_owner_stays_one(world: World, server: Directory) -> None:
    mia = server.add_person("mia", email_of(world, "member"))
    bosses = server.add_group("bosses", mia)
    made = provider(world, server, RoleRow(world.tenant_id, "bosses", "owner", None))
    assert enter(made, "mia").status_code == 302
    RoleBinding.objects.filter(tenant_id=world.tenant_id, user_id=world.users["owner"], role="owner").delete()
    server.set_members(bosses)
    assert enter(made, "mia").status_code == 302
    assert ("owner", None) in roles_of(world, "member")
    RoleBinding.objects.create(tenant_id=world.tenant_id, user_id=world.users["admin"], role="owner")
    assert enter(made, "mia").status_code == 302
    assert ("owner", None) not in roles_of(world, "member")


def test_nested_groups_count_when_set(server: Directory) -> None:
    mia = server.add_person("mia", "mia@example.com")
    inner = server.add_group("inner", mia)
    outer = server.add_group("outer", inner)
    flat = sign_in_to_directory(plain(server), "mia", PASSWORD)
    assert flat.groups == sorted([inner, "inner"])
    deep = sign_in_to_directory(plain(server, nested_groups=True), "mia", PASSWORD)
    assert deep.groups == sorted([inner, "inner", outer, "outer"])


def test_a_subject_of_bytes_becomes_a_filter_of_bytes() -> None:
    from imagefactory.domain.identity.services.directory_backend import _literal

    assert _literal("bytes:002aff") == r"\00\2a\ff"
    assert _literal("bytes:*)(uid=*") == "%(user)s"


def test_other_kinds_of_groups(server: Directory) -> None:
    mia = server.add_person("mia", "mia@example.com")
    server.add(f"dn: cn=u,ou=groups,{BASE}\nobjectClass: groupOfUniqueNames\ncn: u\nuniqueMember: {mia}\n")
    server.add(f"dn: cn=p,ou=groups,{BASE}\nobjectClass: posixGroup\ncn: p\ngidNumber: 7\nmemberUid: mia\n")
    found = {}
    for kind in ("groupOfUniqueNames", "posixGroup"):
        found[kind] = sign_in_to_directory(plain(server, group_type=kind), "mia", PASSWORD).groups
    assert "u" in (found["groupOfUniqueNames"] or [])
    assert "p" in (found["posixGroup"] or [])


def test_start_tls_and_certificates_are_checked(server: Directory, tmp_path: Path) -> None:
    server.add_person("mia", "mia@example.com")
    start = {"url": f"ldap://127.0.0.1:{server.plain}", "start_tls": True}
    assert sign_in_to_directory(plain(server, **start), "mia", PASSWORD).email == "mia@example.com"
    _, foreign = self_signed(tmp_path, "other")
    for wrong in (start, {}):
        with pytest.raises(DirectoryUnavailable) as refused:
            sign_in_to_directory(plain(server, ca_certificate=foreign.read_text(), **wrong), "mia", PASSWORD)
        assert "cannot be asked now" in refused.value.message


def test_a_directory_that_is_down_lets_nobody_in_and_local_accounts_go_on(world: World, server: Directory) -> None:
    server.add_person("mia", email_of(world, "member"))
    made = provider(world, server)
    assert enter(made, "mia").status_code == 302
    dead = f"ldaps://127.0.0.1:{free_port()}"
    services.update_provider(world.actor("owner"), made, form(server, configuration={"url": dead}))
    answer = enter(made, "mia")
    assert answer.status_code == 503
    assert b"cannot be asked now" in answer.content
    assert look_who_left() == 0, "silence is not an answer: nobody is signed out for it"
    from tests.conftest import PASSWORD as LOCAL

    local = Client().post("/login", {"email": email_of(world, "owner"), "password": LOCAL})
    assert local.status_code == 302


def test_groups_that_cannot_be_read_take_no_roles_away(world: World, server: Directory) -> None:
    mia = server.add_person("mia", email_of(world, "admin"))
    server.add_group("bosses", mia)
    made = provider(world, server, RoleRow(world.tenant_id, "bosses", "owner", None))
    assert enter(made, "mia").status_code == 302
    gone = form(
        server, RoleRow(world.tenant_id, "bosses", "owner", None), configuration={"group_base": f"ou=gone,{BASE}"}
    )
    services.update_provider(world.actor("owner"), made, gone)
    assert enter(made, "mia").status_code == 503
    assert ("owner", None) in roles_of(world, "admin")


def test_who_left_the_directory_is_signed_out_and_loses_what_it_gave(world: World, server: Directory) -> None:
    mia = server.add_person("mia", email_of(world, "member"))
    server.add_person("max", email_of(world, "viewer"))
    server.add_group("bosses", mia)
    made = provider(world, server, RoleRow(world.tenant_id, "bosses", "owner", None))
    browser, stays = Client(), Client()
    assert enter(made, "mia", browser=browser).status_code == 302
    assert enter(made, "max", browser=stays).status_code == 302
    page = f"/t/{world.tenant_slug}/"
    assert look_who_left() == 0
    assert browser.get(page).status_code == 200
    server.delete(mia)
    assert look_who_left() == 1
    assert browser.get(page)["Location"].startswith("/login")
    assert stays.get(page).status_code == 200
    assert ("owner", None) not in roles_of(world, "member")
    assert enter(made, "mia").status_code == 422
    assert look_who_left() == 0
    subject = ExternalIdentity.objects.get(user_id=world.users["viewer"]).subject
    assert knows(connection(made), subject)


def test_an_installations_directory_makes_people_and_gives_roles_in_several_teams(
    world: World, server: Directory
) -> None:
    boss = administrator(world)
    other = make_world()
    server.add_group("all", server.add_person("new", "new.person@example.com", "New Person"))
    roles = (
        RoleRow(world.tenant_id, "all", "viewer", world.project.id),
        RoleRow(other.tenant_id, "all", "member", other.project.id),
    )
    made = services.create_provider(boss, "ldap", form(server, *roles, creates_people=True), of_installation=True)
    browser = Client()
    assert enter(made, "new", browser=browser).status_code == 302
    person = User.objects.get(email="new.person@example.com")
    assert set(Membership.objects.filter(user=person).values_list("tenant_id", flat=True)) == {
        world.tenant_id,
        other.tenant_id,
    }
    for tenant in (world, other):
        assert browser.get(f"/t/{tenant.tenant_slug}/").status_code == 200


def test_the_check_says_step_by_step_what_works(world: World, server: Directory) -> None:
    made = provider(world, server)
    server.add_person("mia", "mia@example.com")
    good = check_provider(world.actor("owner"), made)
    assert [(c.name, c.ok) for c in good] == [
        ("address", True), ("certificate", True), ("bind", True), ("people", True), ("groups", True),
    ]  # fmt: skip
    wrong = dataclasses.replace(form(server), secret="not this")
    services.update_provider(world.actor("owner"), made, wrong)
    bad = check_provider(world.actor("owner"), made)
    assert next(c for c in bad if c.name == "bind").ok is False
    assert "refuses the name or password" in next(c for c in bad if c.name == "bind").sentence


@pytest.mark.committed
@pytest.mark.django_db(transaction=True)
def test_two_owners_who_leave_at_once_leave_one_behind(server: Directory) -> None:
    world = make_world()
    mia, max_ = server.add_person("mia", email_of(world, "member")), server.add_person("max", email_of(world, "admin"))
    bosses = server.add_group("bosses", mia, max_)
    made = provider(world, server, RoleRow(world.tenant_id, "bosses", "owner", None))
    assert [enter(made, name).status_code for name in ("mia", "max")] == [302, 302]
    RoleBinding.objects.filter(tenant_id=world.tenant_id, user_id=world.users["owner"], role="owner").delete()
    server.set_members(bosses)
    gate = threading.Barrier(2)

    def leave(name: str) -> None:
        gate.wait()
        enter(made, name)
        connections.close_all()

    threads = [threading.Thread(target=leave, args=(name,)) for name in ("mia", "max")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert RoleBinding.objects.filter(tenant_id=world.tenant_id, role="owner").count() == 1
