"""Keys: their text, their limits, rotation, warnings before the end, keys of CI runs."""

from __future__ import annotations

import datetime as dt
import re
import threading
import uuid
from collections.abc import Callable
from typing import Any

import pytest
import time_machine
from django.db import connection, connections
from django.test.utils import CaptureQueriesContext

from imagefactory.domain.identity import selectors, services
from imagefactory.domain.identity.errors import KeyNotFound, TenantNotFound
from imagefactory.domain.identity.models import ApiKey, Membership, Tenant
from imagefactory.domain.identity.permissions import READ_ONLY, Permission, Role
from imagefactory.domain.identity.states import TenantState
from imagefactory.domain.notifications.models import Mail
from imagefactory.domain.projects.errors import ProjectNotFound
from imagefactory.domain.projects.selectors import get_project, list_projects
from imagefactory.domain.projects.services import create_project
from imagefactory.entry.jobs.outbox import deliver_batch
from imagefactory.kernel import ids, keys
from imagefactory.kernel.actor import Actor, ActorKind, system
from imagefactory.kernel.clock import now
from imagefactory.kernel.errors import Conflict, PermissionDenied, TokenExpired, Unauthorized, ValidationFailed
from imagefactory.kernel.outbox.models import OutboxEvent
from tests.conftest import World, make_world


def events_of(kind: str) -> list[dict[str, Any]]:
    return [e.payload for e in OutboxEvent.objects.filter(type=kind).order_by("seq")]


# The text


def test_a_key_is_found_by_the_documented_pattern_and_its_checksum_tells_a_typing_error() -> None:
    made = keys.new_key()
    assert re.search(keys.PATTERN, f"token={made.whole};")
    assert keys.read_key(made.whole) == made
    for i in range(4, len(made.whole)):
        other = "0" if made.whole[i] != "0" else "1"
        assert keys.read_key(made.whole[:i] + other + made.whole[i + 1 :]) is None
    for end in range(len(made.whole)):
        # A new key cut to the length of an old one reads as an old one, whose hash it does not have.
        cut = keys.read_key(made.whole[:end])
        assert cut is None or not cut.fits(made.hashed)


@pytest.mark.parametrize(
    "text", ["", "ifk_", "ifk__", "ifk_" + "0" * 12, "IFK_" + "0" * 12 + "_" + "0" * 48, "ifk_\0_x"]
)
def test_what_is_no_key_is_told_apart_from_one_that_was_revoked(world: World, text: str) -> None:
    with pytest.raises(Unauthorized):
        selectors.actor_for_token(text)
    if text.startswith("ifk_"):
        with pytest.raises(Unauthorized, match="mistyped or cut off"):
            selectors.actor_for_token(text)


def test_a_key_from_before_the_checksum_works(world: World) -> None:
    key, _ = services.create_api_key(world.actor("owner"), name="old")
    secret = ids.token(24)
    ApiKey.objects.filter(id=key.id).update(secret_hash=ids.digest(secret))
    assert selectors.actor_for_token(f"ifk_{key.prefix}_{secret}").key_id == key.id


def test_another_prefix_with_the_same_secret_and_the_reverse_open_nothing(world: World) -> None:
    _, one = services.create_api_key(world.actor("owner"), name="one")
    _, two = services.create_api_key(world.actor("owner"), name="two")
    for text in (f"{one[:16]}{two[16:]}", f"ifk_{'0' * 12}_{one[17:65]}", one[:-8], one.upper()):
        with pytest.raises(Unauthorized):
            selectors.actor_for_token(text)


def test_a_revoked_key_says_so_to_who_has_all_of_it(world: World) -> None:
    key, text = services.create_api_key(world.actor("owner"), name="one")
    services.revoke_api_key(world.actor("owner"), key.id)
    with pytest.raises(Unauthorized, match="was revoked on"):
        selectors.actor_for_token(text)


def test_a_key_names_its_own_tenant_or_none(world: World) -> None:
    _, text = services.create_api_key(world.actor("owner"), name="one")
    with pytest.raises(TenantNotFound):
        selectors.actor_for_token(text, world.stranger_slug)


# What it may


def test_a_key_limited_to_projects_does_not_see_others_whatever_its_owner_may(world: World) -> None:
    other = create_project(world.actor("owner"), name="Other")
    for role in ("owner", "member"):
        _, text = services.create_api_key(world.actor(role), name="one", project_ids=[world.project.id])
        actor = selectors.actor_for_token(text)
        assert [p.id for p in list_projects(actor)[0]] == [world.project.id]
        with pytest.raises(ProjectNotFound):
            get_project(actor, other.id)
        assert not actor.may(Permission.PROJECT_CREATE)
    with pytest.raises(PermissionDenied):
        create_project(actor, name="Third")


def test_a_key_cannot_be_limited_to_a_project_that_its_owner_does_not_see(world: World) -> None:
    other = create_project(world.actor("owner"), name="Other")
    for wrong in ([other.id], [uuid.uuid4()], []):
        with pytest.raises(ValidationFailed) as refused:
            services.create_api_key(world.actor("member"), name="one", project_ids=wrong)
        assert set(refused.value.fields) == {"project_ids"}


def test_a_role_that_is_taken_leaves_the_key_of_that_project_with_nothing(world: World) -> None:
    _, text = services.create_api_key(world.actor("member"), name="one", project_ids=[world.project.id])
    services.set_project_role(world.actor("owner"), world.users["member"], world.project.id, None)
    assert list_projects(selectors.actor_for_token(text))[0] == []


def test_a_tenant_may_shorten_the_life_of_new_keys(world: World) -> None:
    owner = world.actor("owner")
    services.set_key_policy(owner, days_max=30)
    with pytest.raises(ValidationFailed, match="correct"):
        services.create_api_key(owner, name="one", days=31)
    services.create_api_key(owner, name="one", days=30)
    services.set_key_policy(owner, days_max=None)
    services.create_api_key(owner, name="one", days=366)
    assert events_of("tenant.key_policy_changed") == [{"before": None, "after": 30}, {"before": 30, "after": None}]
    for days in (0, 367, -1):
        with pytest.raises(ValidationFailed):
            services.set_key_policy(owner, days_max=days)
    with pytest.raises(PermissionDenied):
        services.set_key_policy(world.actor("admin"), days_max=5)


def test_no_key_makes_rotates_or_revokes_a_key(world: World) -> None:
    key, text = services.create_api_key(world.actor("owner"), name="one")
    actor = selectors.actor_for_token(text)
    acts: list[Callable[[], object]] = [
        lambda: services.create_api_key(actor, name="two"),
        lambda: services.rotate_key(actor, key.id, overlap_hours=1),
        lambda: services.revoke_api_key(actor, key.id),
        lambda: services.set_key_policy(actor, days_max=1),
        lambda: services.set_ip_list(actor, networks=[], for_sessions=False),
        lambda: services.create_service_account(actor, services.AccountFields("x", "x@example.com", role="viewer")),
    ]
    for act in acts:
        with pytest.raises(PermissionDenied):
            act()


def test_an_owner_revokes_any_key_of_the_team_and_others_only_their_own(world: World) -> None:
    key, text = services.create_api_key(world.actor("member"), name="one")
    for role in ("viewer", "admin", "stranger"):
        with pytest.raises(KeyNotFound):
            services.revoke_api_key(world.actor(role), key.id)
    with pytest.raises(KeyNotFound):
        services.rotate_key(world.actor("owner"), key.id, overlap_hours=1)
    services.revoke_api_key(world.actor("owner"), key.id)
    with pytest.raises(Unauthorized):
        selectors.actor_for_token(text)
    assert events_of("member.api_key_revoked")[-1]["user_id"] == str(world.users["member"])


def test_the_last_use_is_kept_with_its_address_and_survives_a_clock_set_back(world: World) -> None:
    key, text = services.create_api_key(world.actor("owner"), name="one")
    selectors.actor_for_token(text, address="192.0.2.7")
    first = ApiKey.objects.get(id=key.id)
    assert (first.last_used_address, first.last_used_at is not None) == ("192.0.2.7", True)
    with time_machine.travel(now() - dt.timedelta(hours=5), tick=False):
        selectors.actor_for_token(text, address="192.0.2.8")
    assert ApiKey.objects.get(id=key.id).last_used_address == "192.0.2.8"


def test_a_key_ends_by_the_clock_wherever_that_jumps(world: World) -> None:
    _, text = services.create_api_key(world.actor("owner"), name="one", days=1)
    with time_machine.travel(now() + dt.timedelta(days=1, seconds=1)), pytest.raises(TokenExpired):
        selectors.actor_for_token(text)
    assert selectors.actor_for_token(text).key_id


def test_resolving_a_key_takes_a_known_number_of_queries(world: World) -> None:
    owner = world.actor("owner")
    for i in range(5):
        create_project(owner, name=f"Project {i}")
    account = services.create_service_account(owner, services.AccountFields("ci", "a@example.com", role="member"))
    texts = {
        "person": (services.create_api_key(owner, name="one")[1], 3),  # key with all it hangs on, membership, roles
        "account": (services.create_account_key(owner, account.id, name="one")[1], 1),
    }
    services.set_ip_list(owner_at(owner, "192.0.2.1"), networks=[("192.0.2.0/24", "")], for_sessions=False)
    for text, most in texts.values():
        selectors.actor_for_token(text, address="192.0.2.1")  # the first use is written down
        with CaptureQueriesContext(connection) as queries:
            selectors.actor_for_token(text, address="192.0.2.1")
        assert len(queries) == most


def owner_at(actor: Actor, address: str) -> Actor:
    import dataclasses

    return dataclasses.replace(actor, address=address)


# Rotation


def test_after_a_rotation_both_keys_work_until_the_old_one_ends(world: World) -> None:
    owner = world.actor("owner")
    old, text = services.create_api_key(owner, name="one", days=30, scopes=["project:view"], note="laptop")
    new, other = services.rotate_key(owner, old.id, overlap_hours=48)
    assert (new.name, new.scopes, new.note) == ("one", ["project:view"], "laptop")
    assert selectors.actor_for_token(text).key_id == old.id
    assert selectors.actor_for_token(other).key_id == new.id
    shown = {k.id: k for k in selectors.keys_of(owner)}
    assert (shown[old.id].replaced, shown[new.id].replaces_prefix) == (True, old.prefix)
    for key in (old, new):
        with pytest.raises(Conflict):
            services.rotate_key(owner, key.id, overlap_hours=1)
    with time_machine.travel(now() + dt.timedelta(hours=49)):
        with pytest.raises(TokenExpired):
            selectors.actor_for_token(text)
        services.rotate_key(owner, new.id, overlap_hours=0)
        with pytest.raises(Unauthorized, match="revoked"):
            selectors.actor_for_token(other)
    told = events_of("member.api_key_rotated")
    assert next(t["new_key_id"] for t in told) == str(new.id)
    assert text not in str(told)


def test_a_rotation_never_lengthens_the_old_key_and_keeps_to_the_tenants_rule(world: World) -> None:
    owner = world.actor("owner")
    old, _ = services.create_api_key(owner, name="one", days=1)
    before = ApiKey.objects.get(id=old.id).expires_at
    services.rotate_key(owner, old.id, overlap_hours=168)
    assert ApiKey.objects.get(id=old.id).expires_at == before
    long, _ = services.create_api_key(owner, name="long", days=300)
    services.set_key_policy(owner, days_max=10)
    new, _ = services.rotate_key(owner, long.id, overlap_hours=1)
    assert new.expires_at - now() <= dt.timedelta(days=10)
    for hours in (-1, 169):
        with pytest.raises(ValidationFailed):
            services.rotate_key(owner, new.id, overlap_hours=hours)


@pytest.mark.committed
@pytest.mark.django_db(transaction=True)
def test_of_two_rotations_at_once_one_wins() -> None:
    owner = make_world().actor("owner")
    key, _ = services.create_api_key(owner, name="one")
    results, gate = [], threading.Barrier(4)

    def rotate() -> None:
        gate.wait()
        try:
            services.rotate_key(owner, key.id, overlap_hours=1)
            results.append("rotated")
        except Conflict:
            results.append("refused")
        finally:
            connections.close_all()

    threads = [threading.Thread(target=rotate) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(results) == ["refused"] * 3 + ["rotated"]
    assert ApiKey.objects.filter(replaces=key).count() == 1


@pytest.mark.committed
@pytest.mark.django_db(transaction=True)
def test_a_key_that_is_revoked_while_it_is_used_stays_revoked() -> None:
    owner = make_world().actor("owner")
    key, text = services.create_api_key(owner, name="one")
    stop, refused = threading.Event(), []

    def use() -> None:
        try:
            while not stop.is_set():
                ApiKey.objects.filter(id=key.id).update(last_used_at=None)
                selectors.actor_for_token(text)
        except Unauthorized:
            refused.append(1)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=use) for _ in range(3)]
    for thread in threads:
        thread.start()
    services.revoke_api_key(owner, key.id)
    for thread in threads:
        thread.join(30)
    stop.set()
    assert refused == [1, 1, 1]
    assert ApiKey.objects.get(id=key.id).revoked_at


# Warnings


def test_an_owner_is_warned_fourteen_and_three_days_before_the_end_once_each(world: World) -> None:
    member = world.actor("member")
    services.create_api_key(member, name="laptop", days=30)
    services.create_api_key(member, name="short", days=2)
    start, clock = now(), system("key clock")
    told = []
    for day in (1, 15, 16, 17, 26, 27, 28, 29, 31):
        with time_machine.travel(start + dt.timedelta(days=day, hours=1)):
            told.append(services.warn_of_expiring_keys(clock))
            assert services.warn_of_expiring_keys(clock) == 0
    assert told == [0, 0, 1, 0, 0, 1, 0, 0, 0]
    assert [(e["name"], e["days_left"]) for e in events_of("key.expiring")] == [("laptop", 14), ("laptop", 3)]
    while deliver_batch():
        pass
    mails = Mail.objects.filter(kind="keys.expiring").order_by("created_at")
    assert [(m.address, "ends in" in m.subject) for m in mails] == [(member.email, True)] * 2


def test_a_missed_day_warns_late_and_not_twice_and_a_rotated_key_is_left_alone(world: World) -> None:
    owner = world.actor("owner")
    services.create_api_key(owner, name="late", days=30)
    old, _ = services.create_api_key(owner, name="rotated", days=30)
    services.rotate_key(owner, old.id, overlap_hours=168)
    with time_machine.travel(now() + dt.timedelta(days=28)):
        ApiKey.objects.filter(replaces=old).update(expires_at=now() + dt.timedelta(days=60))
        assert services.warn_of_expiring_keys(system("key clock")) == 1
        assert services.warn_of_expiring_keys(system("key clock")) == 0
    assert [(e["name"], e["days_left"]) for e in events_of("key.expiring")] == [("late", 2)]


def test_the_contact_of_a_service_account_is_warned(world: World) -> None:
    owner = world.actor("owner")
    fields = services.AccountFields("ci-deploy", "ops@example.com", role="member")
    account = services.create_service_account(owner, fields)
    services.create_account_key(owner, account.id, name="pipeline", days=20)
    with time_machine.travel(now() + dt.timedelta(days=10)):
        services.warn_of_expiring_keys(system("key clock"))
    while deliver_batch():
        pass
    mail = Mail.objects.get(kind="keys.expiring")
    assert mail.address == "ops@example.com"


# Keys of CI runs


def mint(world: World, **changed: Any) -> tuple[ApiKey, str]:
    given: dict[str, Any] = {
        "tenant_id": world.tenant_id, "name": "release", "project_ids": frozenset({world.project.id}), "minutes": 10,
        "permissions": frozenset({"project:view", "build:start"}), "actor": system("ci-token"),
        "identity": {"repository": "acme/shop", "ref": "refs/heads/main"},
    }  # fmt: skip
    return services.mint_ci_key(**given | changed)


def test_a_ci_key_does_what_the_rule_says_in_its_projects_for_minutes(world: World) -> None:
    create_project(world.actor("owner"), name="Other")
    key, text = mint(world)
    actor = selectors.actor_for_token(text)
    assert (actor.kind, actor.name) == (ActorKind.CI, "acme/shop refs/heads/main (CI)")
    assert actor.project_permissions == {world.project.id: frozenset({"project:view", "build:start"})}
    assert (actor.tenant_permissions, actor.user_id, actor.subject_id) == (frozenset(), None, key.id)
    assert [p.id for p in list_projects(actor)[0]] == [world.project.id]
    with pytest.raises(KeyNotFound):
        services.rotate_key(world.actor("owner"), key.id, overlap_hours=1)
    assert [k.id for k in selectors.ci_keys_of_tenant(world.actor("owner"))] == [key.id]
    assert key.id not in {k.id for k in selectors.keys_of_tenant(world.actor("owner"))}
    with time_machine.travel(now() + dt.timedelta(minutes=11)), pytest.raises(TokenExpired):
        selectors.actor_for_token(text)


@pytest.mark.parametrize(
    "wrong",
    [{"minutes": 0}, {"minutes": 61}, {"permissions": frozenset()}, {"permissions": frozenset({"all"})},
     {"project_ids": frozenset()}, {"name": ""}],
)  # fmt: skip
def test_a_ci_key_that_is_too_long_or_for_nothing_is_refused(world: World, wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationFailed):
        mint(world, **wrong)


def test_no_person_and_no_key_mints(world: World) -> None:
    _, text = mint(world)
    for actor in (world.actor("owner"), selectors.actor_for_token(text)):
        with pytest.raises(PermissionDenied):
            mint(world, actor=actor)


def test_in_a_suspended_team_keys_of_every_kind_only_read(world: World) -> None:
    owner = world.actor("owner")
    account = services.create_service_account(owner, services.AccountFields("ci", "a@example.com", role=Role.ADMIN))
    texts = [services.create_api_key(owner, name="x")[1], services.create_account_key(owner, account.id, name="x")[1]]
    texts.append(mint(world)[1])
    Tenant.objects.filter(id=world.tenant_id).update(state=TenantState.SUSPENDED)
    for text in texts:
        actor = selectors.actor_for_token(text)
        held = actor.tenant_permissions.union(*actor.project_permissions.values())
        assert held <= {str(p) for p in READ_ONLY}


def test_what_a_key_started_goes_on_with_the_rights_of_that_key(world: World) -> None:
    key, _ = services.create_api_key(world.actor("owner"), name="x", days=1, project_ids=[world.project.id])
    with time_machine.travel(now() + dt.timedelta(days=2)):
        starter = selectors.actor_for_starter(key.id, world.tenant_slug)
        assert starter is not None
        assert set(starter.project_permissions) == {world.project.id}
    services.revoke_api_key(world.actor("owner"), key.id)
    assert selectors.actor_for_starter(key.id, world.tenant_slug) is None
    other, _ = services.create_api_key(world.actor("member"), name="x")
    Membership.objects.filter(user_id=world.users["member"], tenant_id=world.tenant_id).delete()
    with pytest.raises(Unauthorized):
        selectors.actor_for_starter(other.id, world.tenant_slug)
