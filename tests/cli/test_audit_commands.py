"""`imagefactory audit`: list and export over real HTTP, verify and rotate-key on the factory's own database."""

from __future__ import annotations

import csv
import io
import os
import shutil
from collections.abc import Iterator

import pytest
from django.db import connection

from imagefactory.domain.audit.models import AuditEntry
from imagefactory.domain.audit.services.checkpoints import sign_due_checkpoints
from imagefactory.entry.jobs.outbox import deliver_batch
from imagefactory.kernel import env
from imagefactory.kernel.outbox.models import OutboxEvent
from tests.audit.trail import as_superuser
from tests.cli.conftest import Cli
from tests.conftest import World

pytestmark = [pytest.mark.committed, pytest.mark.django_db(transaction=True)]


@pytest.fixture(autouse=True)
def of_the_tests(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Point the command line at the database that the tests use, as the operator's machine has one only."""
    name = connection.settings_dict["NAME"]
    address = os.environ["IMAGEFACTORY_TEST_DATABASE_URL"].replace("/imagefactory?", f"/{name}?")
    monkeypatch.setenv("IMAGEFACTORY_TEST_DATABASE_URL", address)
    shutil.rmtree(env.get().data_dir / "audit", ignore_errors=True)
    yield
    shutil.rmtree(env.get().data_dir / "audit", ignore_errors=True)


def _deliver() -> None:
    while deliver_batch():
        pass


def test_entries_are_listed_filtered_and_paged(owner: Cli, world: World) -> None:
    _deliver()
    assert "project.created" in owner("audit", "list").stdout
    found = owner.json("audit", "list", "--action", "member.", "--limit", "2")
    assert {e["type"].partition(".")[0] for e in found["items"]} == {"member"}
    more = owner.json("audit", "list", "--action", "member.", "--limit", "2", "--cursor", found["next_cursor"])
    assert not {e["event_id"] for e in more["items"]} & {e["event_id"] for e in found["items"]}
    assert "No entry fits." in owner("audit", "list", "--text", "nosuchword").stdout
    assert "done, refused or failed" in owner("audit", "list", "--result", "odd", code=5).stderr
    assert "no such page" in owner("audit", "list", "--all-tenants", code=4).stderr


def test_an_export_comes_to_standard_output(owner: Cli, world: World) -> None:
    _deliver()
    result = owner("audit", "export", "--action", "project.created")
    (row,) = csv.DictReader(io.StringIO(result.stdout))
    assert (row["type"], row["tenant_id"]) == ("project.created", str(world.tenant_id))
    assert "1 entries." in result.stderr
    assert "csv, json or jsonl" in owner("audit", "export", "--format", "xml", code=5).stderr


def test_verify_says_that_all_is_whole_and_then_names_the_first_bad_entry(owner: Cli, world: World) -> None:
    _deliver()
    sign_due_checkpoints(env.get().data_dir)
    whole = owner("audit", "verify")
    assert "The trail is whole" in whole.stdout
    assert f"{AuditEntry.objects.count()} entries" in whole.stdout
    assert owner.json("audit", "verify", "--tenant", world.tenant_slug)["chains"] == 1
    as_superuser("update audit_entry set actor_name = 'Nobody' where tenant_id = %s and seq = 2", world.tenant_id)
    bad = owner("audit", "verify", code=1)
    assert f"Chain {world.tenant_id}, entry 2" in bad.stderr
    assert "it was changed" in bad.stderr
    told = owner.json("audit", "verify", "--tenant", str(world.tenant_id), code=1)
    assert (told["whole"], told["problems"][0]["seq"]) == (False, 2)
    assert owner.json("audit", "verify", "--tenant", "installation")["whole"] is True
    assert "no tenant never" in owner("audit", "verify", "--tenant", "never", code=2).stderr
    assert "--from takes a time" in owner("audit", "verify", "--from", "yesterday", code=2).stderr


def test_a_rotated_key_signs_and_the_old_one_still_counts(owner: Cli, world: World) -> None:
    _deliver()
    sign_due_checkpoints(env.get().data_dir)
    assert "Checkpoints are signed with" in owner("audit", "rotate-key").stdout
    told = OutboxEvent.objects.get(type="audit.signing_key_rotated")
    assert told.payload["before"]["key"] != told.payload["after"]["key"]
    _deliver()
    assert sign_due_checkpoints(env.get().data_dir, every_rows=1) >= 1
    assert "The trail is whole" in owner("audit", "verify").stdout
