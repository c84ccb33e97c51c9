"""The second wall by itself: what the database lets through when code above it forgets the tenant."""

from __future__ import annotations

import random
import re
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.db import DatabaseError, connection, transaction
from django.db.migrations.state import ProjectState
from django.test import Client, override_settings

import imagefactory
from imagefactory.domain.builds.models import Build, Execution, UsageSample
from imagefactory.domain.identity.models import User
from imagefactory.domain.projects.models import Credential, Project, Upload
from imagefactory.kernel import scope
from imagefactory.kernel.clock import now
from imagefactory.kernel.database.base import DatabaseWrapper
from imagefactory.kernel.wall import TenantWall
from tests.conftest import World
from tests.security.scene import Scene, make_scene
from tests.security.walls import UNWALLED, keys, tables, walled
from tests.walled import as_role

SOURCE = Path(imagefactory.__file__).parent
# Who may read across tenants, and who may set the scope at all. A new name here wants a reason in its review.
ACROSS: set[str] = set()
DOORS = {
    "entry/api/site.py", "entry/http/actors.py", "entry/http/registry_check.py", "entry/http/registry_events.py", "entry/http/scope.py",
    "entry/http/role_lines.py",  # an installation's provider names projects of several teams
    "kernel/database/base.py",
}  # fmt: skip


@pytest.fixture
def two(db: None) -> tuple[Scene, Scene]:
    scenes = make_scene(), make_scene()
    for execution in Execution.objects.all():
        levels = ("cpu_ms", "memory_bytes", "disk_bytes", "pids", "io_read_bytes", "io_write_bytes", "net_in_bytes")
        UsageSample.objects.create(execution=execution, at=now(), net_out_bytes=1, **dict.fromkeys(levels, 1))
    for scene in scenes:
        Upload.objects.create(project_id=scene.world.project.id, filename="a.tar", digest="sha256:0", size_bytes=1)
    return scenes


@pytest.fixture(autouse=True)
def nobody_in_scope() -> Iterator[None]:
    scope.clear()
    yield
    scope.clear()


def client(world: World, role: str = "owner") -> Client:
    made = Client(raise_request_exception=False)
    made.force_login(User.objects.get(id=world.users[role]))
    return made


def test_every_table_with_a_tenant_stands_behind_the_wall_or_says_why_not(db: None) -> None:
    without = {name for name, holds in tables().items() if not holds}
    assert without == set(UNWALLED), (
        "give a new table TenantWall in its migration, or a reason in tests/security/walls.py"
    )


@override_settings(ROOT_URLCONF="tests.security.wall_urls")
def test_a_request_that_forgets_its_selectors_sees_no_row_of_another_tenant(two: tuple[Scene, Scene]) -> None:
    everything = {table: keys(table) for table in walled()}
    seen: list[dict[str, set[str]]] = []
    for scene in two:
        answer = client(scene.world).get(f"/everything/{scene.world.tenant_slug}")
        seen.append({table: set(found) for table, found in answer.json().items()})
    for table, rows in everything.items():
        first, second = seen[0][table], seen[1][table]
        assert first, f"tests/security/scene.py makes no row of {table}, so nothing is tested"
        assert second
        assert not first & second
        # And nothing is lost: what the two tenants and the strangers' own see together is all there is.
        assert first | second <= rows
    with as_role("app"), scope.whole_installation("a test"):
        assert {table: keys(table) for table in everything} == everything


def test_writing_into_another_tenant_is_stopped_too(two: tuple[Scene, Scene]) -> None:
    mine, theirs = (scene.world for scene in two)
    with as_role("app"), scope.tenant(mine.tenant_id):
        assert Project.objects.filter(id=theirs.project.id).update(name="taken") == 0
        assert Credential.objects.filter(project_id=theirs.project.id).delete()[0] == 0
        for row in (
            Project(tenant_id=theirs.tenant_id, slug="planted", name="planted"),
            Credential(project_id=theirs.project.id, name="planted", kind="build_secret", secret=b"x"),
        ):
            with pytest.raises(DatabaseError, match="row-level security"), transaction.atomic():
                row.save(force_insert=True)
        with pytest.raises(DatabaseError, match="row-level security"), transaction.atomic():
            Project.objects.filter(id=mine.project.id).update(tenant_id=theirs.tenant_id)


@pytest.mark.parametrize("table", ["builds_build", "builds_execution", "projects_project"])
def test_a_forgotten_scope_is_an_error_and_not_an_empty_list(two: tuple[Scene, Scene], table: str) -> None:
    found = min(keys(table))
    for statement in (
        f"select count(*) from {table}", f"select 1 from {table} where id = '{found}'",
        f"update {table} set updated_at = now()", f"delete from {table} where id = '{found}'",
    ):  # fmt: skip
        with as_role("app"), pytest.raises(DatabaseError, match="No tenant is in scope"), transaction.atomic():
            with connection.cursor() as cursor:
                cursor.execute(statement)


def test_a_scope_that_is_no_tenant_sees_nothing(two: tuple[Scene, Scene]) -> None:
    with as_role("app"), scope.tenant(uuid.UUID(int=0)):
        assert [table for table in walled() if keys(table)] == []


def _backend() -> int:
    with connection.cursor() as cursor:
        cursor.execute("select pg_backend_pid()")
        return int(cursor.fetchone()[0])


@pytest.mark.committed
@pytest.mark.django_db(transaction=True)
@override_settings(ROOT_URLCONF="tests.security.wall_urls")
@pytest.mark.parametrize(
    "before",
    [
        "everything/{}", "failing/{}/refused", "failing/{}/broken", "failing/{}/sql", "streaming/{}/carried",
        "everything/no-such-team",
    ],
)  # fmt: skip
def test_nothing_of_a_request_is_left_for_the_next_on_the_same_connection(before: str) -> None:
    scene = make_scene()
    browser, backend = client(scene.world), _backend()
    left = browser.get("/" + before.format(scene.world.tenant_slug))
    if left.streaming:
        left.getvalue()
    answer = browser.get("/forgotten")
    assert answer.status_code == 500
    assert str(Build.objects.values_list("id", flat=True)[0]) not in answer.content.decode()
    # And the next one works.
    assert browser.get(f"/everything/{scene.world.tenant_slug}").json()["builds_build"]
    assert _backend() == backend


@pytest.mark.committed
@pytest.mark.django_db(transaction=True)
@override_settings(ROOT_URLCONF="tests.security.wall_urls")
def test_a_stream_runs_in_the_scope_that_it_carries_and_else_in_none() -> None:
    first, second = make_scene(), make_scene()
    answer = client(first.world).get(f"/streaming/{first.world.tenant_slug}/carried")
    other = client(second.world).get(f"/streaming/{second.world.tenant_slug}/carried")
    with as_role("app"):
        # One step each in turn: neither changes what the other reads.
        mine, theirs = iter(answer), iter(other)
        rows = [next(mine), next(theirs), *mine], list(theirs)
    builds = {s.world.tenant_id: set(Build.objects.filter(tenant_id=s.world.tenant_id).values_list("id", flat=True))
              for s in (first, second)}  # fmt: skip
    assert {uuid.UUID(r.decode().strip()) for r in (*rows[0], *rows[1])} == set().union(*builds.values())
    assert uuid.UUID(rows[0][1].decode().strip()) in builds[second.world.tenant_id]
    bare = client(first.world).get(f"/streaming/{first.world.tenant_slug}/bare")
    with as_role("app"), pytest.raises(DatabaseError, match="No tenant is in scope"):
        list(bare)


def _told() -> str:
    with connection.cursor() as cursor:
        cursor.execute("select coalesce(current_setting('app.tenant_id', true), '')")
        return str(cursor.fetchone()[0])


def _fail(tenant: uuid.UUID) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        scope.enter(tenant)
        cursor.execute("select 1 / 0")


def _walk(dice: random.Random, depth: int, tenants: list[uuid.UUID]) -> None:
    """Change scopes, nest transactions and lose some of them, in any order; the connection always knows the scope."""
    for _ in range(dice.randint(1, 4)):
        match dice.randint(0, 5):
            case 0:
                scope.enter(dice.choice(tenants))
            case 1:
                scope.clear()
            case 2:
                with pytest.raises(DatabaseError):
                    _fail(dice.choice(tenants))
            case 3 if depth:
                with scope.tenant(dice.choice(tenants)):
                    _walk(dice, depth - 1, tenants)
            case _ if depth:
                with transaction.atomic():
                    _walk(dice, depth - 1, tenants)
                    transaction.set_rollback(dice.random() < 0.5)
        if dice.random() < 0.7:
            assert _told() == scope.wanted()


@pytest.mark.committed
@pytest.mark.django_db(transaction=True)
def test_the_connection_knows_the_scope_whatever_was_rolled_back() -> None:
    for seed in range(150):
        _walk(random.Random(seed), 4, [uuid.UUID(int=n) for n in (1, 2, 3)])
        assert _told() == scope.wanted()
    connection.close()
    assert _told() == scope.wanted()


def test_an_unchanged_scope_costs_nothing(two: tuple[Scene, Scene], monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    original = DatabaseWrapper._tell

    def tell(self: DatabaseWrapper, wanted: str) -> None:
        told.append(wanted)
        original(self, wanted)

    monkeypatch.setattr(DatabaseWrapper, "_tell", tell)
    with scope.tenant(two[0].world.tenant_id):
        for _ in range(3):
            Build.objects.exists()
    assert told == [str(two[0].world.tenant_id)]


def test_records_may_be_added_from_any_scope_and_read_from_their_own(db: None) -> None:
    with connection.schema_editor() as editor:
        editor.execute(
            "create table scratch (id bigint generated always as identity, tenant_id uuid, at timestamptz default now()) "
            "partition by range (at)"
        )
        editor.execute("create table scratch_all partition of scratch default")
        wall = TenantWall("scratch", open_inserts=True)
        for _ in range(2):  # safe to repeat
            wall.database_forwards("audit", editor, ProjectState(), ProjectState())
    mine = uuid.uuid4()
    with as_role("app"), connection.cursor() as cursor:
        cursor.execute("insert into scratch (tenant_id) values (null), (%s)", [mine])
        with scope.tenant(mine):
            cursor.execute("select tenant_id from scratch")
            assert cursor.fetchall() == [(mine,)]
            cursor.execute("update scratch set tenant_id = null where tenant_id is null")
            assert cursor.rowcount == 0
        with scope.whole_installation("a test"):
            cursor.execute("select count(*) from scratch")
            assert cursor.fetchone() == (2,)


def _calls(pattern: str) -> set[str]:
    found = set()
    for path in SOURCE.rglob("*.py"):
        name = str(path.relative_to(SOURCE))
        if name != "kernel/scope.py" and re.search(pattern, path.read_text()):
            found.add(name)
    return found


def test_only_the_named_modules_read_across_tenants_or_set_the_scope() -> None:
    assert _calls(r"\bwhole_installation\(") == ACROSS
    assert _calls(r"\bscope\.(enter|clear|tenant|wanted)\b") == DOORS


def test_the_words_of_builds_are_read_by_the_search_alone() -> None:
    assert _calls(r"\bBuildText\.objects\.(?!create\b)") == {
        "domain/builds/selectors.py",
        "domain/builds/services/execution.py",  # changes the words of the one build that it holds
    }


def test_the_audit_trail_is_read_by_its_own_app_alone() -> None:
    assert {name.rpartition("/")[0] for name in _calls(r"\baudit_entry\b")} <= {
        "domain/audit", "domain/audit/migrations", "domain/audit/services",
    }  # fmt: skip
