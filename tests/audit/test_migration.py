"""A database that already has entries: they move into the chain; and what the serving role may do there."""

from __future__ import annotations

import os
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from imagefactory.adapters.postgres.embedded import embedded_url
from imagefactory.domain.audit.services.verify import verify
from tests import environment

pytestmark = pytest.mark.real
NAME = "audit_moved"


def _migrate(url: str, *what: str) -> None:
    subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "django", "migrate", "--noinput", "--verbosity", "0", *what], check=True,
        env={**os.environ, "IMAGEFACTORY_TEST_DATABASE_URL": url, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p),
             "DJANGO_SETTINGS_MODULE": "imagefactory.settings.django"},
    )  # fmt: skip


@pytest.fixture(scope="module")
def moved() -> Iterator[Path]:
    """Return the server with a database of the first version, holding 2,500 entries, moved to the newest."""
    server = environment.database()
    with psycopg.connect(embedded_url(server, "owner", "postgres"), autocommit=True) as database:
        database.execute(f"drop database if exists {NAME}")
        database.execute(f"create database {NAME}")
    url = embedded_url(server, "owner", NAME)
    _migrate(url, "audit", "0001")
    with psycopg.connect(url) as database:
        database.execute(
            "insert into audit_auditentry (event_id, type, occurred_at, tenant_id, project_id, actor_id, actor_kind, "
            "actor_name, address, request_id, payload) select gen_random_uuid(), 'member.role_set', "
            "now() - g * interval '1 hour', case when g % 3 = 0 then null else %s::uuid end, null, gen_random_uuid(), "
            "'user', 'Ada', '192.0.2.1', 'r-' || g, jsonb_build_object('user_id', gen_random_uuid(), 'before', 'viewer', "
            "'after', 'admin', 'password', 'hunter2hunter2') from generate_series(1, 2500) g".replace("% 3", "%% 3"),
            [uuid.UUID(int=5)],
        )
    _migrate(url)
    yield server
    with psycopg.connect(embedded_url(server, "owner", "postgres"), autocommit=True) as database:
        database.execute(f"drop database {NAME} with (force)")


def test_entries_that_were_there_are_moved_in_their_order_and_chained(moved: Path, tmp_path: Path) -> None:
    with psycopg.connect(embedded_url(moved, "owner", NAME)) as database:
        report = verify(database, tmp_path)
        assert (report.problems, report.rows, report.chains) == ([], 2500, 2)
        first = database.execute(
            "select before, after, object_kind, request_id, details->>'password' from audit_entry where tenant_id is null "
            "and seq = 1"
        ).fetchone()
        assert first == ({"value": "viewer"}, {"value": "admin"}, "person", "r-3", "[masked]")
        assert database.execute("select to_regclass('audit_auditentry')").fetchone() == (None,)


@pytest.mark.parametrize("role", ["app", "system"])
@pytest.mark.parametrize(
    "statement",
    [
        "update audit_entry set actor_name = 'x'", "delete from audit_entry", "truncate audit_entry",
        "delete from audit_checkpoint", "drop table audit_entry", "alter table audit_entry disable trigger all",
        "create table audit_entry_x partition of audit_entry default",
        "set imagefactory.audit_truncate = 'allowed'; truncate audit_entry", "set session_replication_role = 'replica'",
    ],
)  # fmt: skip
def test_the_roles_that_serve_may_only_add_and_read(moved: Path, role: str, statement: str) -> None:
    with psycopg.connect(embedded_url(moved, role, NAME)) as database:
        assert database.execute("select count(*) from audit_entry").fetchone() == (2500,)
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            database.execute(statement)


def test_the_serving_role_makes_the_partition_that_an_entry_needs(moved: Path) -> None:
    with psycopg.connect(embedded_url(moved, "app", NAME)) as database:
        database.execute("select audit_ensure_partition('2040-02-03')")
        assert database.execute("select to_regclass('audit_entry_y2040m02') is not null").fetchone() == (True,)
        database.rollback()
