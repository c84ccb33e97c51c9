"""Capabilities: switched with a reason, all or none; what is off is refused everywhere with the same sentence."""

from __future__ import annotations

import uuid

import pytest
from django.test import Client

from imagefactory.domain.builds.services.dry_run import dry_run
from imagefactory.domain.builds.services.submit import rerun_build, start_build, submit_build
from imagefactory.domain.identity import selectors, services
from imagefactory.domain.identity.models import Tenant, TenantDecision, User
from imagefactory.domain.identity.permissions import Capability, SystemRole
from imagefactory.domain.images.selectors import registry_access
from imagefactory.kernel.actor import Actor, system
from imagefactory.kernel.errors import CapabilityOff, Conflict, NotFound, RateLimited, ValidationFailed
from imagefactory.kernel.outbox.models import OutboxEvent
from tests.conftest import INLINE, World, make_world

WHY = "asked for in ticket 12"
OFF = {Capability.BUILD: False}


@pytest.fixture
def boss(world: World) -> Actor:
    services.grant_system_role(system("cli"), world.users["stranger"], SystemRole.ADMINISTRATOR, reason=WHY)
    return selectors.outside_tenants(selectors.actor_for_user(world.users["stranger"]))


def test_a_new_tenant_may_build_and_nothing_else(world: World) -> None:
    assert world.actor("owner").capabilities == {"build"}


def test_switches_are_told_one_by_one_with_before_and_after(world: World, boss: Actor) -> None:
    wanted = {Capability.BUILD: True, Capability.QUARANTINE_REQUEST: True, Capability.ONDEMAND_IMAGE_SCANNING: True}
    assert services.set_capabilities(boss, [world.tenant_id], wanted, reason=WHY) == 2
    assert services.set_capabilities(boss, [world.tenant_id], wanted, reason=WHY) == 0
    assert world.actor("owner").capabilities == {"build", "quarantine_request", "ondemand_image_scanning"}
    told = OutboxEvent.objects.filter(type="capability.changed", tenant_id=world.tenant_id)
    assert {(e.payload["capability"], e.payload["before"], e.payload["after"], e.payload["reason"]) for e in told} == {
        ("quarantine_request", False, True, WHY), ("ondemand_image_scanning", False, True, WHY),
    }  # fmt: skip
    history = selectors.history_of(world.tenant_id)
    assert {(d.what, d.before, d.after) for d in history} == {
        ("quarantine_request", "off", "on"), ("ondemand_image_scanning", "off", "on"),
    }  # fmt: skip


def test_many_at_once_are_switched_all_or_none(world: World, boss: Actor) -> None:
    other = make_world()
    with pytest.raises(NotFound):
        services.set_capabilities(boss, [world.tenant_id, uuid.uuid4()], OFF, reason=WHY)
    assert Tenant.objects.get(id=world.tenant_id).may_build
    assert services.set_capabilities(boss, [world.tenant_id, other.tenant_id], OFF, reason=WHY) == 2
    assert not Tenant.objects.filter(id__in=[world.tenant_id, other.tenant_id], may_build=True).exists()
    for tenants, wanted in (([], OFF), ([world.tenant_id], {}), ([uuid.uuid4() for _ in range(201)], OFF)):
        with pytest.raises(ValidationFailed):
            services.set_capabilities(boss, tenants, wanted, reason=WHY)


def test_without_build_nothing_starts_and_nothing_is_left_behind(world: World, boss: Actor) -> None:
    owner = world.actor("owner")
    draft = submit_build(owner, world.project.id, INLINE, start=False)
    services.set_capabilities(boss, [world.tenant_id], OFF, reason=WHY)
    owner, told = world.actor("owner"), OutboxEvent.objects.count()
    for act in (
        lambda: submit_build(owner, world.project.id, INLINE),
        lambda: start_build(owner, draft.id),
        lambda: rerun_build(owner, draft.id, {"name": "again"}),
    ):
        with pytest.raises(CapabilityOff) as refused:
            act()
        assert refused.value.details["capability"] == "build"
        assert world.tenant_slug in refused.value.message
    assert OutboxEvent.objects.count() == told
    assert [c for c in dry_run(owner, world.project.id, INLINE).checks if c.level == "fail" and c.name == "Capability"]
    assert registry_access(owner, f"{world.tenant_slug}/{world.project.slug}") == {"pull"}


def test_what_is_off_is_in_no_navigation_and_its_address_says_whom_to_ask(world: World, boss: Actor) -> None:
    browser = Client()
    browser.force_login(User.objects.get(id=world.users["owner"]))
    base = f"/t/{world.tenant_slug}"
    assert "New build" in browser.get(f"{base}/").content.decode()
    services.set_capabilities(boss, [world.tenant_id], OFF, reason=WHY)
    for address in (f"{base}/", f"{base}/builds", f"{base}/projects", f"{base}/p/{world.project.slug}/"):
        page = browser.get(address).content.decode()
        assert "builds/new" not in page, address
    for address in (f"{base}/builds/new", f"{base}/p/{world.project.slug}/builds/new"):
        answer = browser.get(address)
        page = answer.content.decode()
        assert answer.status_code == 403
        assert "Building images is switched off for the team" in page
        assert User.objects.get(id=world.users["stranger"]).email in page
        assert f"{base}/settings/capabilities" in page


def test_the_api_says_it_with_its_code(world: World, boss: Actor) -> None:
    api = world.api("owner")
    services.set_capabilities(boss, [world.tenant_id], OFF, reason=WHY)
    answer = api("post", "/builds", {"project": world.project.slug, "manifest": INLINE})
    error = answer.json()["error"]
    assert (answer.status_code, error["code"], error["details"]) == (
        403, "tenant_capability_not_entitled", {"capability": "build"},
    )  # fmt: skip


def test_a_request_tells_administrators_once_a_day(world: World) -> None:
    owner = world.actor("owner")
    services.request_capability(owner, Capability.QUARANTINE_REQUEST, message="for our bases")
    event = OutboxEvent.objects.get(type="capability.requested")
    assert (event.payload["capability"], event.payload["message"]) == ("quarantine_request", "for our bases")
    with pytest.raises(RateLimited):
        services.request_capability(owner, Capability.QUARANTINE_REQUEST, message="again")
    with pytest.raises(Conflict):
        services.request_capability(owner, Capability.BUILD, message="")
    assert not TenantDecision.objects.exists()
