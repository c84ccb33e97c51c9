"""Who reads what of the trail, how it is found, and how it is handed out."""

from __future__ import annotations

import csv
import datetime as dt
import io
import json
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection, transaction

from imagefactory.domain.audit import selectors
from imagefactory.domain.audit.models import AuditEntry
from imagefactory.domain.audit.selectors import AuditFilter, Scope, list_entries, total
from imagefactory.domain.audit.services.export import export_entries, safe_cell
from imagefactory.domain.identity.models import User
from imagefactory.domain.projects.services import create_project
from imagefactory.entry.jobs.outbox import deliver_batch
from imagefactory.kernel.clock import now
from imagefactory.kernel.errors import InvalidRequest, PermissionDenied, TenantRequired
from imagefactory.kernel.outbox.models import OutboxEvent
from tests.audit.trail import T1, T2, envelope, write
from tests.conftest import World

ALL = Scope((), ())
P1, P2 = str(uuid.UUID(int=0x11)), str(uuid.UUID(int=0x12))
KEY = uuid.UUID("01234567-89ab-7def-8123-456789abcdef")


def found(wanted: AuditFilter, scope: Scope = ALL) -> list[str]:
    return [e.object_label for e in list_entries(scope, wanted, limit=200).items]


def one(label: str, **more: Any) -> None:
    payload = {"object_kind": "thing", "object_id": f"id-{label}", "object_label": label, **more.pop("payload", {})}
    write(1, payload=payload, **more)


def start() -> dt.datetime:
    return now() - dt.timedelta(hours=10)


def test_pages_go_both_ways_and_meet(db: None) -> None:
    begin = start()
    for n in range(25):
        # Some at the same moment, so that the time alone does not order them.
        one(f"{n:02}", at=begin + dt.timedelta(minutes=n // 3))
    whole = found(AuditFilter())
    assert len(whole) == 25
    down, page = [], list_entries(ALL, AuditFilter(), limit=10)
    assert page.newer == ""
    while True:
        down += [e.object_label for e in page.items]
        if not page.older:
            break
        page = list_entries(ALL, AuditFilter(), before=page.older, limit=10)
    assert down == whole
    up = [e.object_label for e in page.items]
    while page.newer:
        page = list_entries(ALL, AuditFilter(), after=page.newer, limit=10)
        up = [e.object_label for e in page.items] + up
    assert up == whole


def test_a_search_goes_through_all_windows_of_time_and_pages_both_ways(db: None) -> None:
    ages = (-40, 0, 1, 20, 30, 31, 32, 100, 154, 156, 400, 650, 652, 900, 4000)
    for age in ages:  # one is of a clock that ran ahead
        one(f"{age}", at=now() - dt.timedelta(days=age), payload={"note": "zebra"})
        one("other", at=now() - dt.timedelta(days=age, minutes=1))
    wanted, down = AuditFilter(text="zebra"), []
    page = list_entries(ALL, wanted, limit=4)
    while True:
        down += [int(e.object_label) for e in page.items]
        if not page.older:
            break
        page = list_entries(ALL, wanted, before=page.older, limit=4)
    assert down == list(ages)
    up = [int(e.object_label) for e in page.items]
    while page.newer:
        page = list_entries(ALL, wanted, after=page.newer, limit=4)
        up = [int(e.object_label) for e in page.items] + up
    assert up == list(ages)
    since = AuditFilter(text="zebra", since=now() - dt.timedelta(days=101), until=now() - dt.timedelta(days=25))
    assert [int(x) for x in found(since)] == [30, 31, 32, 100]


def test_an_entry_that_comes_while_one_pages_shifts_nothing(db: None) -> None:
    begin = start()
    for n in range(6):
        one(f"{n}", at=begin + dt.timedelta(minutes=n))
    page = list_entries(ALL, AuditFilter(), limit=3)
    one("new")  # what comes meanwhile moves nothing
    assert [e.object_label for e in list_entries(ALL, AuditFilter(), before=page.older, limit=3).items] == [
        "2",
        "1",
        "0",
    ]


@pytest.mark.parametrize("cursor", ["x", "1.2", "-99999999999999999." + "0" * 32, "-1", "' or 1=1", "1." + "g" * 32])
def test_a_cursor_that_is_none_is_refused(db: None, cursor: str) -> None:
    with pytest.raises(InvalidRequest, match="cursor"):
        list_entries(ALL, AuditFilter(), before=cursor)


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (AuditFilter(user=str(uuid.UUID(int=5))), {"grace"}),
        (AuditFilter(user="grace@example.com"), {"grace"}),
        (AuditFilter(user="GRACE@Example.com"), {"grace"}),
        (AuditFilter(user="hopper"), {"grace"}),
        (AuditFilter(user="hopp*"), {"grace"}),
        (AuditFilter(user="hopp"), set()),
        (AuditFilter(user=str(KEY)), {"key"}),
        (AuditFilter(user="%"), set()),
        (AuditFilter(action="build.started"), {"started"}),
        (AuditFilter(action="build."), {"started", "failed"}),
        (AuditFilter(action="build"), {"started", "failed"}),
        (AuditFilter(action="build.s"), set()),
        (AuditFilter(kind="other"), {"other"}),
        (AuditFilter(resource="id-grace"), {"grace"}),
        (AuditFilter(project_id=uuid.UUID(P2)), {"in two"}),
        (AuditFilter(result="failed"), {"failed"}),
        (AuditFilter(result="refused"), {"no"}),
        (AuditFilter(address="203.0.113.9"), {"far"}),
        (AuditFilter(address="203.0.113"), set()),
        (AuditFilter(text="zebra"), {"words"}),
        (AuditFilter(text="ZEB* stri*"), {"words"}),
        (AuditFilter(text="zeb"), set()),
        (AuditFilter(text="grace@example.com"), {"grace"}),
        (AuditFilter(text="grace@exa*"), {"grace"}),
        (AuditFilter(text="v1.2"), {"versioned"}),
        (AuditFilter(text="zebra nothing"), set()),
        (AuditFilter(text="01234567-89a"), {"key"}),
        (AuditFilter(text="0123456789ab"), {"key"}),
        (AuditFilter(text="203.0.113.9"), {"far"}),
        (AuditFilter(text="!!!"), set()),
        (AuditFilter(text="'); drop table audit_entry; --"), set()),
        (AuditFilter(text="\\' | 'zebra"), {"words"}),
        (AuditFilter(until=dt.datetime(2001, 1, 1, tzinfo=dt.UTC)), {"old"}),
        (AuditFilter(text="zebra", user="ada", result="done", action="project."), {"words"}),
    ],
)  # fmt: skip
def test_each_filter_finds_its_own(db: None, wanted: AuditFilter, expected: set[str]) -> None:
    one("grace", actor_id=uuid.UUID(int=5), actor_name="Grace Hopper", actor_email="grace@example.com")
    one("key", key_id=KEY)
    one("started", type_="build.started")
    one("failed", type_="build.failed")
    one("no", type_="audit.refused")
    one("other", payload={"object_kind": "other"})
    one("in two", payload={"project_id": P2})
    one("far", address="203.0.113.9")
    one("words", payload={"note": "Zebra stripes, and more"})
    one("versioned", payload={"note": "v1.27.3"})
    one("old", at=dt.datetime(2000, 5, 5, tzinfo=dt.UTC))
    assert set(found(wanted)) == expected


def test_the_total_is_exact_on_one_page_and_else_says_that_it_is_an_estimate(db: None) -> None:
    write(30)
    page = list_entries(ALL, AuditFilter(), limit=50)
    assert total(ALL, AuditFilter(), page) == selectors.Total(30, estimate=False)
    with connection.cursor() as cursor:
        cursor.execute("analyze audit_entry")
    assert total(ALL, AuditFilter(), list_entries(ALL, AuditFilter(), limit=5)) == selectors.Total(30, estimate=True)


def test_a_long_label_does_not_push_out_what_the_filters_look_for(db: None) -> None:
    one(" ".join(f"w{n}" for n in range(500)), payload={"note": " ".join(f"n{n}" for n in range(500))})
    assert len(found(AuditFilter(user=str(uuid.UUID(int=7)), address="192.0.2.7", text="w1"))) == 1


def _scene(world: World) -> uuid.UUID:
    other = create_project(world.actor("owner"), name="Other")
    create_project(world.actor("stranger"), name="Theirs")
    while deliver_batch():
        pass
    return other.id


@pytest.mark.parametrize("role", ["admin", "viewer"])
def test_an_admin_and_a_viewer_read_what_concerns_their_projects_only(world: World, role: str) -> None:
    _scene(world)
    items = list_entries(selectors.tenant_scope(world.actor(role)), AuditFilter(), limit=200).items
    assert {e.project_id for e in items} == {world.project.id}
    assert {e.tenant_id for e in items} == {world.tenant_id}


def test_an_owner_reads_the_whole_team_and_nothing_of_another(world: World) -> None:
    other = _scene(world)
    items = list_entries(selectors.tenant_scope(world.actor("owner")), AuditFilter(), limit=200).items
    assert {e.tenant_id for e in items} == {world.tenant_id}
    assert {None, world.project.id, other} <= {e.project_id for e in items}
    assert not found(AuditFilter(text="theirs"), selectors.tenant_scope(world.actor("owner")))
    theirs = selectors.tenant_scope(world.actor("stranger"))
    assert found(AuditFilter(text="theirs"), theirs)
    assert not found(AuditFilter(project_id=other), theirs)


def test_a_member_is_refused_and_only_system_administrators_read_everything(world: World) -> None:
    with pytest.raises(PermissionDenied, match="audit trail"):
        selectors.tenant_scope(world.actor("member"))
    for role in world.users:
        with pytest.raises(PermissionDenied, match="system administrators"):
            selectors.installation_scope(world.actor(role))
    _scene(world)
    User.objects.filter(id=world.users["member"]).update(is_system_admin=True)
    scope = selectors.installation_scope(world.actor("member"))
    assert len({e.tenant_id for e in list_entries(scope, AuditFilter(), limit=200).items}) > 2
    import dataclasses

    with pytest.raises(TenantRequired):
        selectors.tenant_scope(dataclasses.replace(world.actor("owner"), tenant_id=None))


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\tx", "\rx", "\nx"])
def test_a_cell_that_a_spreadsheet_would_run_is_made_harmless(text: str) -> None:
    assert safe_cell(text) == f"'{text}"
    assert safe_cell("plain = text") == "plain = text"


def _parsed(form: str, text: str) -> list[dict[str, Any]]:
    if form == "csv":
        return list(csv.DictReader(io.StringIO(text, newline="")))
    return json.loads(text) if form == "json" else [json.loads(line) for line in text.splitlines()]


@pytest.mark.parametrize("form", ["csv", "json", "jsonl"])
@pytest.mark.parametrize("many", [0, 1, 450])
def test_an_export_has_every_entry_once_and_is_an_entry_itself(world: World, form: str, many: int) -> None:
    owner = world.actor("owner")
    with transaction.atomic():
        from imagefactory.domain.audit.services.record import record

        record(
            [envelope(world.tenant_id, payload={"slug": '=cmd|"x"', "note": 'line\nbreak, "q"'}) for _ in range(many)]
        )
    before = set(AuditEntry.objects.filter(tenant_id=world.tenant_id).values_list("event_id", flat=True))
    rows, pieces = export_entries(owner, selectors.tenant_scope(owner), AuditFilter(), form)
    parsed = _parsed(form, b"".join(pieces).decode())
    assert rows == len(parsed) == many
    assert {uuid.UUID(r["event_id"]) for r in parsed} == before
    told = OutboxEvent.objects.get(type="audit.exported")
    assert (told.tenant_id, told.payload["rows"], told.payload["format"]) == (world.tenant_id, many, form)


def test_an_export_reads_a_page_at_a_time(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    write(30)
    monkeypatch.setattr(selectors, "MAX_PAGE", 7)
    asked: list[int] = []
    real: Callable[..., Any] = selectors.list_entries

    def counting(*args: Any, **more: Any) -> Any:
        page = real(*args, **more)
        asked.append(len(page.items))
        return page

    monkeypatch.setattr(selectors, "list_entries", counting)
    assert len(list(selectors.every_entry(ALL, AuditFilter()))) == 30
    assert asked == [7, 7, 7, 7, 2]
    assert write(1, T2)
    assert T1 != T2
