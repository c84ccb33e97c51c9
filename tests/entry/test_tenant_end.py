"""The end of a tenant: its export, and its removal in steps that may be killed and begun again."""

from __future__ import annotations

import datetime as dt
import io
import json
import uuid
import zipfile

import pytest
from django.apps import apps
from django.db import models
from django.test import Client
from procrastinate.contrib.django import app
from procrastinate.contrib.django.models import ProcrastinateJob

from imagefactory.domain.audit.models import AuditEntry
from imagefactory.domain.builds import queue
from imagefactory.domain.builds.models import Build, Execution
from imagefactory.domain.builds.services import execution
from imagefactory.domain.builds.services import removal as builds
from imagefactory.domain.builds.services.submit import submit_build
from imagefactory.domain.builds.states import BuildStatus
from imagefactory.domain.identity import selectors, services
from imagefactory.domain.identity.models import RetiredSlug, Tenant, TenantExport, User
from imagefactory.domain.images.services import Published, record_image
from imagefactory.domain.projects.services import create_credential, delete_project, upload_archive
from imagefactory.entry.http.logs import log_store
from imagefactory.entry.jobs import tenant_removal
from imagefactory.entry.jobs.outbox import deliver_batch
from imagefactory.entry.jobs.tenant_export import blobs, forget_expired, make_export, make_waiting
from imagefactory.entry.jobs.tenant_removal import remove_due
from imagefactory.kernel.actor import system
from imagefactory.kernel.clock import now
from imagefactory.kernel.errors import NotFound, PermissionDenied, ValidationFailed
from tests.conftest import INLINE, World, make_world

WHY = "asked for in ticket 12"
SECRET = "a-very-secret-value"


def furnish(world: World, count: int = 5) -> list[uuid.UUID]:
    """Give a team finished builds with logs, images, a credential and an archive; return the executions."""
    owner = world.actor("owner")
    create_credential(owner, world.project.id, name="TOKEN", kind="build_secret", secret=SECRET)
    upload_archive(owner, world.project.id, filename="a.tar.gz", content=io.BytesIO(world.tenant_slug.encode()))
    made = []
    for n in range(count):
        submit_build(owner, world.project.id, INLINE)
        claim = queue.claim("w")
        assert claim is not None
        execution.begin(claim, ["fetch", "build"])
        execution.finish(claim, BuildStatus.SUCCEEDED, image={"path": "a/b", "digest": "sha256:0"})
        made.append(claim.execution_id)
        path = f"{world.tenant_slug}/{world.project.slug}"
        published = Published(path, f"sha256:{n:064x}", "application/json", 1, ["linux/amd64"], {}, [])
        record_image(
            system("dispatcher"), tenant_id=world.tenant_id, project_id=world.project.id, published=published,
            tags=["latest"], origin={},
        )  # fmt: skip
    return made


def end(world: World) -> None:
    """Begin the deletion, and let the grace period be over."""
    services.delete_tenant(world.actor("owner"), world.tenant_id, confirm=world.tenant_slug, reason=WHY)
    Tenant.objects.filter(id=world.tenant_id).update(delete_after=now() - dt.timedelta(seconds=1))


def rows_left(tenant_id: uuid.UUID) -> dict[str, int]:
    """Return every table that still names this tenant by a foreign key, whoever made it."""
    found = {}
    for model in apps.get_models():
        for field in model._meta.get_fields():
            named = isinstance(field, models.ForeignKey) and field.related_model is Tenant
            if named and (count := model._default_manager.filter(**{field.name: tenant_id}).count()):
                found[model._meta.label] = count
    return found


def test_an_export_holds_what_the_team_has_and_no_secret(world: World) -> None:
    furnish(world)
    while deliver_batch():
        pass
    export_id = services.request_export(world.actor("owner"), world.tenant_id)
    assert services.request_export(world.actor("owner"), world.tenant_id) == export_id
    assert ProcrastinateJob.objects.filter(task_name="tenants.export").count() == 1
    make_export(export_id)
    make_export(export_id)  # a job may run twice
    digest = services.open_export(world.actor("owner"), world.tenant_id, export_id)
    with blobs().open(digest) as file, zipfile.ZipFile(io.BytesIO(file.read())) as archive:
        assert archive.testzip() is None
        found = {n: json.loads(archive.read(n)) for n in archive.namelist() if n.endswith(".json")}
        everything = b"".join(archive.read(n) for n in archive.namelist())
    assert SECRET.encode() not in everything
    assert b"secret_hash" not in everything
    assert [p["slug"] for p in found["projects.json"]] == [world.project.slug]
    assert found["projects.json"][0]["credentials"] == [{"name": "TOKEN", "kind": "build_secret", "username": ""}]
    assert len(found["builds.json"]) == len(found["images.json"]) == 5
    assert all(i["pull"].endswith(f"@{i['digest']}") for i in found["images.json"])
    assert {m["roles"][0]["role"] for m in found["members.json"]} == {"owner", "admin", "member", "viewer"}
    assert "image.published" in {e["type"] for e in found["audit.json"]}
    assert found["tenant.json"][0]["slug"] == world.tenant_slug


def test_an_export_is_for_owners_until_it_expires(world: World) -> None:
    owner = world.actor("owner")
    export_id = services.request_export(owner, world.tenant_id)
    with pytest.raises(NotFound):
        services.open_export(owner, world.tenant_id, export_id)  # it is not ready
    make_export(export_id)
    User.objects.filter(id=world.users["stranger"]).update(is_system_admin=True)
    for role, refusal in (("admin", PermissionDenied), ("viewer", PermissionDenied), ("stranger", PermissionDenied)):
        with pytest.raises(refusal):
            services.open_export(world.actor(role), world.tenant_id, export_id)
    browser = Client()
    browser.force_login(User.objects.get(id=world.users["owner"]))
    address = f"/t/{world.tenant_slug}/settings/exports/{export_id}"
    answer = browser.get(address)
    assert (answer.status_code, answer["Content-Type"]) == (200, "application/zip")
    assert answer.getvalue().startswith(b"PK")
    digest = TenantExport.objects.get(id=export_id).digest
    TenantExport.objects.filter(id=export_id).update(expires_at=now() - dt.timedelta(seconds=1))
    assert browser.get(address).status_code == 404
    forget_expired()
    assert blobs().find(digest) is None
    assert TenantExport.objects.get(id=export_id).status == "expired"


def test_an_export_whose_job_was_lost_is_made_by_the_clock(world: World) -> None:
    export_id = services.request_export(world.actor("owner"), world.tenant_id)
    make_waiting()
    assert TenantExport.objects.get(id=export_id).status == "waiting"  # its job may still begin
    TenantExport.objects.filter(id=export_id).update(created_at=now() - dt.timedelta(hours=1))
    make_waiting()
    assert TenantExport.objects.get(id=export_id).status == "ready"


def test_within_the_grace_period_nothing_is_removed(world: World) -> None:
    furnish(world)
    services.delete_tenant(world.actor("owner"), world.tenant_id, confirm=world.tenant_slug, reason=WHY)
    assert remove_due() == 0
    assert Build.objects.filter(tenant_id=world.tenant_id).count() == 5
    services.stop_deletion(world.actor("owner"), world.tenant_id, reason=WHY)
    Tenant.objects.filter(id=world.tenant_id).update(delete_after=now() - dt.timedelta(days=1))
    assert remove_due() == 0  # a team that is active is not removed, whatever its dates say


def test_a_removed_team_is_gone_and_its_audit_trail_and_its_short_name_stay(world: World) -> None:
    other = make_world()
    executions = furnish(world) + furnish(other, 1)
    for execution_id in executions:
        log_store().finish(str(execution_id))
    while deliver_batch():
        pass
    export = services.request_export(world.actor("owner"), world.tenant_id)
    make_export(export)
    digest, audited = (
        TenantExport.objects.get(id=export).digest,
        AuditEntry.objects.filter(tenant_id=world.tenant_id).count(),
    )
    end(world)
    assert remove_due(batch=2) == 1
    assert remove_due(batch=2) == 0
    assert not Tenant.objects.filter(id=world.tenant_id).exists()
    assert rows_left(world.tenant_id) == {}
    assert Execution.objects.filter(id__in=executions).count() == 1
    assert blobs().find(digest) is None
    assert AuditEntry.objects.filter(tenant_id=world.tenant_id).count() == audited > 0
    assert User.objects.filter(id=world.users["owner"]).exists()
    assert RetiredSlug.objects.get().slug == world.tenant_slug
    with pytest.raises(ValidationFailed):
        services.create_tenant(other.actor("owner"), name="Mine now", slug=world.tenant_slug)
    assert rows_left(other.tenant_id)  # the neighbour has everything
    assert Build.objects.filter(tenant_id=other.tenant_id).count() == 1


@pytest.fixture
def killed_at(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Kill a run before its n-th step: the list's number counts down, and at zero the step raises."""
    left = [10_000]

    def patched(real: object) -> object:
        def step(*args: object, **kwargs: object) -> object:
            left[0] -= 1
            if left[0] == 0:
                raise KeyboardInterrupt
            return real(*args, **kwargs)  # type: ignore[operator]

        return step

    for module, name in (
        (builds, "remove_builds"), (tenant_removal, "remove_images"), (tenant_removal, "remove_projects"),
        (services, "remove_people"), (services, "finish_removal"),
    ):  # fmt: skip
        monkeypatch.setattr(module, name, patched(getattr(module, name)))
    return left


def test_a_removal_that_is_killed_at_any_step_is_finished_by_the_next_run(world: World, killed_at: list[int]) -> None:
    furnish(world, 4)
    end(world)
    for step in range(1, 40):
        killed_at[0] = step
        try:
            gone = remove_due(batch=2)
        except KeyboardInterrupt:
            assert Tenant.objects.filter(id=world.tenant_id).exists()
            continue
        assert gone == 1
        break
    assert step > 1
    assert rows_left(world.tenant_id) == {}


def test_a_removal_waits_for_the_worker_to_let_go(world: World) -> None:
    submit_build(world.actor("owner"), world.project.id, INLINE)
    claim = queue.claim("w")
    assert claim is not None
    execution.begin(claim, ["fetch"])
    waiting = submit_build(world.actor("owner"), world.project.id, INLINE)
    end(world)
    assert remove_due() == 0
    assert Build.objects.get(id=waiting.id).status == "cancelled"
    assert Build.objects.get(id=claim.build_id).cancel_requested_at is not None
    execution.finish(claim, BuildStatus.CANCELLED)
    assert remove_due() == 1


def test_each_job_that_is_deferred_is_a_task_that_takes_its_arguments(world: World) -> None:
    export_id = services.request_export(world.actor("owner"), world.tenant_id)
    submit_build(world.actor("owner"), world.project.id, INLINE)
    delete_project(world.actor("owner"), world.project.id, confirm=world.project.slug)
    while deliver_batch():
        pass
    jobs = {
        j.task_name: j.args
        for j in ProcrastinateJob.objects.filter(task_name__in=["tenants.export", "builds.cancel_project"])
    }
    assert set(jobs) == {"tenants.export", "builds.cancel_project"}
    for name, arguments in jobs.items():
        app.tasks[name].func(**arguments)
    app.tasks["tenants.due"].func(0)
    assert TenantExport.objects.get(id=export_id).status == "ready"
    assert selectors.exports_of(world.tenant_id)[0].ready
    assert Build.objects.get(tenant_id=world.tenant_id).status == "cancelled"
