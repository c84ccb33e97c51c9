"""Every refusal is in the trail once, with who, what and where; a loop of them is counted, and a 404 is not told."""

from __future__ import annotations

import base64
import datetime as dt

import pytest
from django.db import transaction
from django.test import Client
from django.urls import reverse

from imagefactory.domain.audit.models import AuditEntry, RefusalWindow
from imagefactory.domain.audit.services import refusals
from imagefactory.domain.audit.services.refusals import PER_MINUTE, tell_counted_refusals
from imagefactory.domain.builds.services.submit import submit_build
from imagefactory.domain.identity.models import User
from imagefactory.entry.jobs.outbox import deliver_batch
from imagefactory.kernel.errors import CapabilityOff
from imagefactory.kernel.outbox.models import OutboxEvent
from tests.conftest import INLINE, World, make_world


def refused() -> list[AuditEntry]:
    while deliver_batch():
        pass
    return list(AuditEntry.objects.filter(type="audit.refused").order_by("seq"))


def test_a_refusal_by_the_api_is_recorded_once_with_all_that_is_known(world: World) -> None:
    build = submit_build(world.actor("owner"), world.project.id, INLINE)
    answer = world.api("viewer")("post", f"/builds/{build.id}/cancel", **{"X-Request-ID": "request-0001"})
    assert answer.status_code == 403
    (entry,) = refused()
    assert (entry.result, entry.tenant_id, entry.project_id) == ("refused", world.tenant_id, world.project.id)
    assert (entry.actor_id, entry.actor_kind, bool(entry.key_id)) == (world.users["viewer"], "api_key", True)
    assert (entry.object_kind, entry.object_id, entry.object_label) == ("build", str(build.id), f"#{build.number}")
    assert (entry.request_id, entry.address) == ("request-0001", "127.0.0.1")
    assert entry.details["permission"] == "build:cancel"
    assert entry.details["action"].startswith("POST /api/v1/builds/")
    assert entry.details["path"] == f"/api/v1/builds/{build.id}/cancel"
    assert entry.reason.startswith("Members may start builds and may not cancel them")


def test_a_refusal_on_a_page_is_recorded_once(world: World) -> None:
    browser = Client(raise_request_exception=False)
    browser.force_login(User.objects.get(id=world.users["member"]))
    address = reverse("settings", kwargs={"tenant": world.tenant_slug, "project": world.project.slug})
    assert browser.post(address, {"name": "x", "description": ""}).status_code == 403
    (entry,) = refused()
    assert (entry.object_kind, entry.object_label, entry.project_id) == ("project", "checkout-api", world.project.id)
    assert (entry.details["permission"], entry.details["path"]) == ("settings:edit", address)


def test_what_is_not_there_and_what_may_not_be_seen_are_not_recorded(world: World) -> None:
    build = submit_build(world.actor("owner"), world.project.id, INLINE)
    assert world.api("stranger")("get", f"/builds/{build.id}").status_code == 404
    assert world.api("owner")("get", "/projects/never-was").status_code == 404
    assert Client().get("/api/v1/builds").status_code == 401
    assert refused() == []


def test_a_token_that_is_not_valid_is_recorded_for_its_address(world: World) -> None:
    answer = Client().get("/api/v1/builds", headers={"Authorization": "Bearer ifk_abc_def"})
    assert answer.status_code == 401
    (entry,) = refused()
    assert (entry.tenant_id, entry.actor_id, entry.address, entry.details["code"]) == (
        None,
        None,
        "127.0.0.1",
        "unauthorized",
    )
    assert "ifk_abc" not in str(entry.details)


def test_a_refused_sign_in_is_recorded_once(world: World) -> None:
    body = {"email": "nobody@example.com", "password": "wrong"}
    assert Client().post("/api/v1/auth/login", body, content_type="application/json").status_code == 401
    assert refused() == []
    entry = AuditEntry.objects.get(type="member.sign_in_refused")
    assert (entry.result, entry.object_label) == ("refused", "nobody@example.com")


def _token(world: World, role: str, scope: str) -> int:
    basic = base64.b64encode(f"x:{world.token(role)}".encode()).decode()
    return Client().get("/registry/token", {"scope": scope}, headers={"Authorization": f"Basic {basic}"}).status_code


def test_a_refused_registry_scope_is_recorded(world: World) -> None:
    mine = f"{world.tenant_slug}/{world.project.slug}"
    assert _token(world, "member", f"repository:{mine}:pull,push") == 200
    assert refused() == []
    assert _token(world, "viewer", f"repository:{mine}:pull,push") == 200
    (entry,) = refused()
    assert (entry.details["action"], entry.object_kind, entry.object_id) == ("registry push", "image", mine)
    assert (entry.project_id, entry.actor_id) == (world.project.id, world.users["viewer"])


def test_a_registry_sign_in_that_fails_is_recorded(world: World) -> None:
    basic = base64.b64encode(b"x:ifk_abc_def").decode()
    assert Client().get("/registry/token", headers={"Authorization": f"Basic {basic}"}).status_code == 401
    assert [e.details["code"] for e in refused()] == ["unauthorized"]


def test_a_tenant_without_the_capability_is_recorded(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    from imagefactory.entry.api import builds

    def off(*args: object, **more: object) -> None:
        raise CapabilityOff("Tenant x is not entitled to building images.", capability="build")

    monkeypatch.setattr(builds, "submit_build", off)
    answer = world.api("owner")("post", "/builds", {"project": world.project.slug, "manifest": INLINE})
    assert answer.status_code == 403
    (entry,) = refused()
    assert (entry.details["code"], entry.details["capability"]) == ("tenant_capability_not_entitled", "build")


def test_a_loop_of_refusals_becomes_sixty_entries_and_one_that_counts_the_rest(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    build = submit_build(world.actor("owner"), world.project.id, INLINE)
    moment = dt.datetime(2026, 11, 25, 12, 0, 1, tzinfo=dt.UTC)
    monkeypatch.setattr(refusals, "now", lambda: moment)
    ask = world.api("viewer")
    for _ in range(PER_MINUTE + 25):
        assert ask("post", f"/builds/{build.id}/cancel").status_code == 403
    assert ask("post", f"/builds/{build.id}/start").status_code == 403, "another action counts by itself"
    assert len(refused()) == PER_MINUTE + 1
    assert tell_counted_refusals() == 0, "the minute is not over"
    moment += dt.timedelta(minutes=3)
    assert tell_counted_refusals() == 1
    assert tell_counted_refusals() == 0
    last = refused()[-1]
    assert (last.details["count"], last.actor_id, last.tenant_id) == (25, world.users["viewer"], world.tenant_id)
    assert not RefusalWindow.objects.exists()


def test_strangers_from_many_addresses_are_bounded_together(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    moment = dt.datetime(2026, 11, 25, 12, 0, 1, tzinfo=dt.UTC)
    monkeypatch.setattr(refusals, "now", lambda: moment)
    monkeypatch.setattr(refusals, "STRANGERS_PER_MINUTE", 5)
    for n in range(9):
        Client(REMOTE_ADDR=f"192.0.2.{n}").get("/api/v1/builds", headers={"Authorization": "Bearer nonsense"})
    assert len(refused()) == 5
    moment += dt.timedelta(minutes=3)
    assert tell_counted_refusals() == 1
    assert refused()[-1].details["count"] == 4


@pytest.mark.committed
@pytest.mark.django_db(transaction=True)
def test_a_refusal_outlives_the_rollback_of_its_request(monkeypatch: pytest.MonkeyPatch) -> None:
    from django.db import connections

    world = make_world()
    monkeypatch.setitem(connections["default"].settings_dict, "ATOMIC_REQUESTS", True)
    assert world.api("viewer")("post", "/projects", {"name": "No"}).status_code == 403
    with transaction.atomic():
        assert OutboxEvent.objects.filter(type="audit.refused").count() == 1
