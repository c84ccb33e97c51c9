"""The outbox: an event goes with its change, and each consumer sees it once."""

from __future__ import annotations

import contextlib
import os
import uuid
from collections.abc import Sequence

import pytest
from django.db import connection, transaction
from procrastinate.contrib.django.models import ProcrastinateJob
from psycopg.conninfo import make_conninfo

from imagefactory.domain.audit.models import AuditEntry
from imagefactory.domain.builds.models import Build
from imagefactory.domain.builds.services.cancel import cancel_all_of_project
from imagefactory.domain.builds.services.submit import submit_build
from imagefactory.domain.identity import events
from imagefactory.domain.projects.models import Project
from imagefactory.domain.projects.services import create_project, delete_project
from imagefactory.entry.jobs.outbox import deliver_batch
from imagefactory.kernel import pg
from imagefactory.kernel.clock import now
from imagefactory.kernel.outbox.emit import emit
from imagefactory.kernel.outbox.models import OutboxEvent
from imagefactory.kernel.outbox.stuck import stuck_events
from imagefactory.reactions import table
from imagefactory.reactions.envelope import Envelope
from tests.conftest import INLINE, World, make_world


class _TooLateError(Exception):
    """What ends a transaction after its change was made."""


def deliver_all() -> int:
    delivered = 0
    while count := deliver_batch():
        delivered += count
    return delivered


def test_a_change_that_is_rolled_back_leaves_no_event(world: World) -> None:
    owner, before = world.actor("owner"), OutboxEvent.objects.count()
    with contextlib.suppress(_TooLateError), transaction.atomic():
        create_project(owner, name="Second")
        assert OutboxEvent.objects.count() == before + 1
        raise _TooLateError
    assert OutboxEvent.objects.count() == before
    assert not Project.objects.filter(slug="second").exists()
    create_project(owner, name="Second")
    assert OutboxEvent.objects.count() == before + 1


@pytest.mark.committed
@pytest.mark.django_db(transaction=True)
def test_an_event_cannot_be_stated_outside_a_transaction() -> None:
    world = make_world()
    before = OutboxEvent.objects.count()
    with pytest.raises(RuntimeError, match="outside a transaction"):
        emit(world.actor("owner"), events.SignedOut(None, world.users["owner"]))
    assert OutboxEvent.objects.count() == before


def test_the_relay_delivers_each_event_once_and_the_audit_trail_has_one_entry_for_it(world: World) -> None:
    waiting = OutboxEvent.objects.filter(delivered_at=None).count()
    assert waiting > 0
    assert deliver_all() == waiting
    assert deliver_batch() == 0
    told = set(OutboxEvent.objects.values_list("id", "type", "tenant_id"))
    assert set(AuditEntry.objects.values_list("event_id", "type", "tenant_id")) == told
    assert AuditEntry.objects.count() == waiting


def test_an_event_delivered_again_after_a_crash_gets_no_second_audit_entry(world: World) -> None:
    deliver_all()
    entries = AuditEntry.objects.count()
    OutboxEvent.objects.update(delivered_at=None)
    assert deliver_all() == entries
    assert AuditEntry.objects.count() == entries


def test_a_reaction_that_fails_holds_up_its_own_event_and_no_other(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    broken = True

    def fails(envelopes: Sequence[Envelope]) -> None:
        if broken:
            raise ValueError("this reaction is broken")

    monkeypatch.setattr(table, "TABLE", (*table.TABLE, ("project.created", fails)))
    deliver_batch()
    left = OutboxEvent.objects.filter(delivered_at=None)
    assert set(left.values_list("type", flat=True)) == {"project.created"}
    assert not AuditEntry.objects.filter(type="project.created").exists()
    assert AuditEntry.objects.exists()
    assert "stays undelivered" in caplog.text
    broken = False
    assert deliver_batch() == 0, "it waits before it is tried again, and holds up nothing"
    assert (left.get().attempts, left.get().last_error) == (1, "ValueError: this reaction is broken")
    OutboxEvent.objects.update(not_before=None)
    deliver_all()
    assert not OutboxEvent.objects.filter(delivered_at=None).exists()
    assert AuditEntry.objects.filter(type="project.created").count() == 1


def test_deleting_a_project_cancels_its_builds_and_no_others_in_a_job(world: World) -> None:
    owner = world.actor("owner")
    other = create_project(owner, name="Other")
    doomed = submit_build(owner, world.project.id, INLINE)
    kept = submit_build(owner, other.id, INLINE)
    delete_project(owner, world.project.id, confirm=world.project.slug)
    deliver_all()
    assert Build.objects.get(id=doomed.id).status == "queued"
    (job,) = ProcrastinateJob.objects.filter(task_name="builds.cancel_project")
    assert cancel_all_of_project(uuid.UUID(job.args["project_id"])) == 1
    assert cancel_all_of_project(uuid.UUID(job.args["project_id"])) == 0
    deliver_all()
    assert Build.objects.get(id=doomed.id).status == "cancelled"
    assert Build.objects.get(id=kept.id).status == "queued"
    assert AuditEntry.objects.filter(type="build.cancelled", project_id=world.project.id).count() == 1


@pytest.mark.committed
@pytest.mark.django_db(transaction=True)
def test_an_event_that_keeps_failing_is_told_to_the_operator_with_its_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    make_world()
    name = connection.settings_dict["NAME"]
    address = make_conninfo("", **{**pg.parameters(os.environ["IMAGEFACTORY_TEST_DATABASE_URL"]), "dbname": name})
    assert stuck_events(address) == []

    def fails(envelopes: Sequence[Envelope]) -> None:
        raise ValueError("the mail server said no")

    monkeypatch.setattr(table, "TABLE", (*table.TABLE, ("project.created", fails)))
    for _ in range(3):
        OutboxEvent.objects.update(not_before=None)
        deliver_batch()
    (stuck,) = stuck_events(address)
    assert (stuck.type, stuck.attempts) == ("project.created", 3)
    assert "failed 3 times, next at" in stuck.sentence()
    assert stuck.sentence().endswith("ValueError: the mail server said no")
    waits = stuck.not_before
    assert waits is not None
    assert OutboxEvent.objects.filter(delivered_at=None).count() == 1


def test_the_wait_before_another_try_grows_to_an_hour_at_most(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(envelopes: Sequence[Envelope]) -> None:
        raise ValueError("no")

    monkeypatch.setattr(table, "TABLE", (("project.created", fails),))
    waits = []
    for attempts in (0, 1, 9, 20, 1_000_000):
        OutboxEvent.objects.filter(type="project.created").update(attempts=attempts, not_before=None)
        before = now()
        deliver_batch()
        event = OutboxEvent.objects.filter(type="project.created").first()
        assert event is not None
        assert event.not_before is not None
        waits.append(round((event.not_before - before).total_seconds()))
    assert waits == [2, 4, 1024, 3600, 3600]
