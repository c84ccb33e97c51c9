"""The life of a tenant: the whole table of states walked, with reasons, rights, messages and what each stops."""

from __future__ import annotations

import uuid
from collections.abc import Callable

import pytest

from imagefactory.domain.builds import queue
from imagefactory.domain.builds import selectors as builds
from imagefactory.domain.builds.models import TenantQueue
from imagefactory.domain.builds.services.submit import submit_build
from imagefactory.domain.identity import services
from imagefactory.domain.identity.models import Tenant, TenantDecision, TenantExport, User
from imagefactory.domain.identity.permissions import READ_ONLY, Permission, SystemRole
from imagefactory.domain.identity.policies import may
from imagefactory.domain.identity.selectors import actor_for_user, outside_tenants
from imagefactory.domain.identity.states import TENANT, TENANT_STOPS, TENANT_TRANSITIONS, TenantState
from imagefactory.domain.images.selectors import registry_access
from imagefactory.domain.notifications.models import Notice
from imagefactory.domain.projects.services import create_project
from imagefactory.entry.jobs.outbox import deliver_batch
from imagefactory.kernel.actor import Actor, system
from imagefactory.kernel.errors import InvalidTransition, NotFound, PermissionDenied, ValidationFailed
from imagefactory.kernel.outbox.models import OutboxEvent
from tests.conftest import INLINE, World

WHY = "asked for in ticket 12"
Move = Callable[[Actor, World], None]

MOVES: dict[str, tuple[set[TenantState], TenantState | None, Move]] = {
    "approve": (
        {TenantState.AWAITING_APPROVAL},
        TenantState.ACTIVE,
        lambda a, w: services.approve_tenant(a, w.tenant_id, reason=WHY),
    ),
    "refuse": (
        {TenantState.AWAITING_APPROVAL},
        TenantState.DELETING,
        lambda a, w: services.refuse_tenant(a, w.tenant_id, reason=WHY),
    ),
    "suspend": (
        {TenantState.ACTIVE},
        TenantState.SUSPENDED,
        lambda a, w: services.suspend_tenant(a, w.tenant_id, reason=WHY),
    ),
    "lift": (
        {TenantState.SUSPENDED},
        TenantState.ACTIVE,
        lambda a, w: services.lift_suspension(a, w.tenant_id, reason=WHY),
    ),
    "delete": (
        {TenantState.ACTIVE, TenantState.SUSPENDED, TenantState.AWAITING_APPROVAL},
        TenantState.DELETING,
        lambda a, w: services.delete_tenant(a, w.tenant_id, confirm=w.tenant_slug, reason=WHY),
    ),
    "keep": ({TenantState.DELETING}, None, lambda a, w: services.stop_deletion(a, w.tenant_id, reason=WHY)),
}


@pytest.fixture
def administrator(world: World) -> Actor:
    return made_administrator(world)


def made_administrator(world: World) -> Actor:
    services.grant_system_role(system("cli"), world.users["stranger"], SystemRole.ADMINISTRATOR, reason=WHY)
    return outside_tenants(actor_for_user(world.users["stranger"]))


def deliver_all() -> None:
    while deliver_batch():
        pass


def state(world: World) -> str:
    return Tenant.objects.values_list("state", flat=True).get(id=world.tenant_id)


def put(world: World, wanted: TenantState, before: TenantState = TenantState.ACTIVE) -> None:
    kept = before if wanted is TenantState.DELETING else ""
    Tenant.objects.filter(id=world.tenant_id).update(state=wanted, state_before=kept)


@pytest.mark.parametrize("source", list(TenantState))
@pytest.mark.parametrize("move", MOVES)
def test_every_move_from_every_state(world: World, administrator: Actor, source: TenantState, move: str) -> None:
    allowed, target, act = MOVES[move]
    put(world, source)
    told = OutboxEvent.objects.count()
    if source not in allowed:
        with pytest.raises(InvalidTransition):
            act(administrator, world)
        assert (state(world), OutboxEvent.objects.count()) == (source, told)
        return
    act(administrator, world)
    assert state(world) == (target or TenantState.ACTIVE)
    assert TENANT.allows(source, TenantState(state(world)))
    event = OutboxEvent.objects.filter(type__startswith="tenant.").exclude(type="tenant.export_requested").latest("seq")
    assert (event.payload["before"], event.payload["after"], event.payload["reason"]) == (source, state(world), WHY)
    line = TenantDecision.objects.get(tenant_id=world.tenant_id)
    assert (line.before, line.after, line.reason, line.by_id) == (source, state(world), WHY, administrator.user_id)


def test_the_table_names_no_move_that_no_service_makes() -> None:
    made = {(s, t) for sources, t, _ in MOVES.values() for s in sources if t is not None}
    kept = {(TenantState.DELETING, s) for s in MOVES["delete"][0]}
    assert made | kept == {(s, t) for s, targets in TENANT_TRANSITIONS.items() for t in targets}


@pytest.mark.parametrize("before", [TenantState.ACTIVE, TenantState.SUSPENDED, TenantState.AWAITING_APPROVAL])
def test_a_stopped_deletion_goes_back_to_what_was_before(
    world: World, administrator: Actor, before: TenantState
) -> None:
    put(world, before)
    MOVES["delete"][2](administrator, world)
    assert Tenant.objects.get(id=world.tenant_id).delete_after is not None
    MOVES["keep"][2](administrator, world)
    after = Tenant.objects.get(id=world.tenant_id)
    assert (after.state, after.state_before, after.delete_after) == (before, "", None)


@pytest.mark.parametrize("move", [m for m in MOVES if m not in {"delete", "keep"}])
@pytest.mark.parametrize("role", ["owner", "admin", "viewer"])
def test_who_holds_no_system_role_learns_of_no_such_move(world: World, move: str, role: str) -> None:
    put(world, next(iter(MOVES[move][0])))
    with pytest.raises(NotFound):
        MOVES[move][2](world.actor(role), world)


@pytest.mark.parametrize("move", [m for m in MOVES if m != "keep"])
def test_a_read_only_administrator_is_told_why_not(world: World, move: str) -> None:
    User.objects.filter(id=world.users["stranger"]).update(is_read_only_admin=True)
    put(world, next(iter(MOVES[move][0])))
    with pytest.raises(PermissionDenied) as refused:
        MOVES[move][2](outside_tenants(world.actor("stranger")), world)
    assert refused.value.code == "permission_denied"


def test_owners_end_their_team_and_members_do_not(world: World) -> None:
    with pytest.raises(PermissionDenied):
        MOVES["delete"][2](world.actor("admin"), world)
    with pytest.raises(NotFound):
        MOVES["delete"][2](world.actor("stranger"), world)
    with pytest.raises(ValidationFailed) as wrong:
        services.delete_tenant(world.actor("owner"), world.tenant_id, confirm="other", reason=WHY)
    assert world.tenant_slug in wrong.value.fields["confirm"][0]
    MOVES["delete"][2](world.actor("owner"), world)
    assert TenantExport.objects.filter(tenant_id=world.tenant_id, status="waiting").count() == 1
    MOVES["keep"][2](world.actor("owner"), world)
    assert state(world) == TenantState.ACTIVE


def test_a_key_of_an_owner_does_not_end_the_team(world: World) -> None:
    from imagefactory.domain.identity.selectors import actor_for_token

    key = actor_for_token(services.create_api_key(world.actor("owner"), name="all")[1])
    with pytest.raises(PermissionDenied) as refused:
        MOVES["delete"][2](key, world)
    assert "A key does not" in str(refused.value)


def test_a_refused_sign_up_is_brought_back_by_an_administrator_only(world: World, administrator: Actor) -> None:
    put(world, TenantState.AWAITING_APPROVAL)
    MOVES["refuse"][2](administrator, world)
    with pytest.raises(PermissionDenied) as refused:
        MOVES["keep"][2](world.actor("owner"), world)
    assert "not approved" in str(refused.value)
    MOVES["keep"][2](administrator, world)
    assert state(world) == TenantState.AWAITING_APPROVAL


@pytest.mark.parametrize("stopped", list(TENANT_STOPS))
def test_in_every_stopped_state_reads_go_on_and_writes_say_why_not(world: World, stopped: TenantState) -> None:
    put(world, stopped)
    owner = world.actor("owner")
    for permission in Permission:
        verdict = may(owner, permission)
        if permission in READ_ONLY:
            assert verdict is True, permission
        else:
            assert verdict is not True
            assert verdict.code == "tenant_suspended"
    with pytest.raises(PermissionDenied) as refused:
        create_project(owner, name="More")
    assert refused.value.code == "tenant_suspended"
    assert registry_access(owner, f"{world.tenant_slug}/{world.project.slug}") == {"pull"}


def test_queued_builds_wait_while_suspended_and_go_on_after(world: World, administrator: Actor) -> None:
    running = submit_build(world.actor("owner"), world.project.id, INLINE)
    assert queue.claim("w") is not None
    waiting = submit_build(world.actor("owner"), world.project.id, INLINE)
    MOVES["suspend"][2](administrator, world)
    deliver_all()
    assert TenantQueue.objects.get(tenant_id=world.tenant_id).paused
    assert queue.claim("w") is None
    owner = world.actor("owner")
    place = builds.queue_place(owner, builds.get_build(owner, waiting.id))
    assert place is not None
    assert "not active" in place.reason
    assert builds.get_build(owner, running.id).status == "running"
    MOVES["lift"][2](administrator, world)
    deliver_all()
    claimed = queue.claim("w")
    assert claimed is not None
    assert claimed.build_id == waiting.id


def test_a_team_without_a_queue_is_paused_before_its_first_build(world: World, administrator: Actor) -> None:
    MOVES["suspend"][2](administrator, world)
    deliver_all()
    assert TenantQueue.objects.get(tenant_id=world.tenant_id).paused


def test_a_reason_is_needed_and_bounded_and_seen(world: World, administrator: Actor) -> None:
    for reason in ("", "  ", "ab", "x" * 501, "turned \u202e around"):
        with pytest.raises(ValidationFailed):
            services.suspend_tenant(administrator, world.tenant_id, reason=reason)
    assert state(world) == TenantState.ACTIVE


def test_owners_are_told_of_each_change_and_administrators_of_what_waits(world: World, administrator: Actor) -> None:
    MOVES["suspend"][2](administrator, world)
    MOVES["lift"][2](administrator, world)
    services.request_capability(world.actor("owner"), "quarantine_request", message="for our bases")  # type: ignore[arg-type]
    deliver_all()
    told = {(n.user_id, n.kind) for n in Notice.objects.all()}
    owner, boss = world.users["owner"], uuid.UUID(str(administrator.user_id))
    assert {(owner, "team.suspended"), (owner, "team.suspension_lifted"), (boss, "team.capability_requested")} <= told
