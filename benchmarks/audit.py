"""The audit trail with 10,000,000 entries: every kind of search; the relay that writes it; the check of the chain.

The entries are made in the database, over twelve months and 2,000 tenants, a fifth of them of one. The peer of a search is
the same table read from end to end, with the indexes forbidden; the peer of the relay is the flat table that was before,
without chain, partition and text index.
"""

from __future__ import annotations

import datetime as dt
import json
import random
import shutil
import statistics
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg

from benchmarks import places
from benchmarks.figures import Figure, Options, spread_figures

if TYPE_CHECKING:
    from imagefactory.domain.audit.selectors import AuditFilter, Scope

ROWS, TENANTS, SMALL = 10_000_000, 2_000, 500_000
REACH_MS = 500
EVENTS = 20_000
ROOM_GIB = 25  # free space wanted before it begins; it uses about half
SPAN = dt.timedelta(days=365)

# One expression a column, over the number g; md5 makes what looks like chance and is the same in every run.
_FILL = """
insert into audit_entry
select ('00000000-0000-7000-8000-' || lpad(to_hex(g), 12, '0'))::uuid, at, at, g, tenant, project, type,
  actor, 'user', name, name || '@example.com', null, 'build', build::text, '#' || (g / 4 %% 100000), null, null,
  jsonb_build_object('project_id', project, 'build_id', build, 'number', g / 4 %% 100000, 'note', w1 || ' ' || w2),
  case when type like '%%failed' then 'failed' when type like '%%refused' then 'refused' else 'done' end, '',
  address, substr(h, 1, 16), build::text,
  array_to_tsvector(array[split_part(type, '.', 1), split_part(type, '.', 2), replace(actor::text, '-', ''), name, name || '@example.com',
    'example', 'com', replace(build::text, '-', ''), substr(h, 1, 16), address, w1, w2, (g / 4 %% 100000)::text]),
  '\\x00', decode(h, 'hex')
from (
  select g, h, at, tenant, type,
    ('00000000-0000-7000-9000-' || lpad(to_hex(t * 20 + (g / 4) %% 20), 12, '0'))::uuid as project,
    ('00000000-0000-7000-a000-' || lpad(to_hex(t * 50 + case when r %% 2 = 0 then 0 else r / 2 %% 50 end), 12, '0'))::uuid as actor,
    ('00000000-0000-7000-b000-' || lpad(to_hex(g / 4), 12, '0'))::uuid as build,
    'person' || (t * 50 + case when r %% 2 = 0 then 0 else r / 2 %% 50 end) as name,
    '10.' || t %% 200 || '.' || r %% 5 || '.' || r / 5 %% 200 as address,
    'word' || translate((r %% 100)::text, '0123456789', 'abcdefghij') as w1, 'rare' || (r %% 50021) as w2
  from (
    select g, h, r, t, %(start)s::timestamptz + g * (%(span)s::interval / %(rows)s::float8) as at,
      ('00000000-0000-7000-c000-' || lpad(to_hex(t), 12, '0'))::uuid as tenant,
      case when r %% 1000 < 3 then 'audit.refused' when r %% 1000 < 20 then 'build.failed'
           when r %% 100000 = 20 then 'member.role_set'
           else (array['build.created', 'build.queued', 'build.started', 'build.completed'])[1 + g %% 4] end as type
    from (
      select g, h, r, case when g / 4 %% 5 = 0 then 1 else 2 + (g / 4) %% %(tenants)s::bigint end as t
      from (select g, md5(g::text) as h, abs(hashint8(g)::bigint) as r from generate_series(%(first)s::bigint, %(last)s::bigint) g) a
    ) b
  ) c
) d
"""


def _id(kind: str, number: int) -> uuid.UUID:
    return uuid.UUID(f"00000000-0000-7000-{kind}000-{number:012x}")


def _fill(address: str, rows: int) -> dt.datetime:
    """Make the entries and then their indexes, as a restore would; returns the time of the first."""
    start = (dt.datetime.now(dt.UTC) - SPAN).replace(microsecond=0)
    with psycopg.connect(address, autocommit=True) as database:
        for step in range(15):
            database.execute("select audit_ensure_partition(%s)", [start + dt.timedelta(days=28 * step)])
        # What a benchmark fills is worth nothing after a crash, and the log of it would take as much room again.
        for (name,) in database.execute(
            "select inhrelid::regclass::text from pg_inherits where inhparent = 'audit_entry'::regclass"
        ).fetchall():
            database.execute(f"alter table {name} set unlogged")
        indexes = database.execute(
            "select indexrelid::regclass::text, pg_get_indexdef(indexrelid) from pg_index "
            "where indrelid = 'audit_entry'::regclass and not indisprimary"
        ).fetchall()
        for name, _ in indexes:
            database.execute(f"drop index {name}")

        def part(numbers: tuple[int, int]) -> None:
            values = {"start": start, "span": SPAN, "rows": rows, "tenants": TENANTS - 1}
            with psycopg.connect(address, autocommit=True) as own:
                own.execute("set synchronous_commit = off")
                own.execute(_FILL, {**values, "first": numbers[0], "last": numbers[1]})

        step = max(1, rows // 40)
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(part, [(n, min(n + step - 1, rows)) for n in range(1, rows + 1, step)]))
        database.execute("set maintenance_work_mem = '512MB'")
        for _, definition in indexes:
            database.execute(definition.replace(" ON ONLY ", " ON ").encode())
        database.execute("vacuum analyze audit_entry")
    return start


def _kinds(
    start: dt.datetime, rows: int, chance: random.Random
) -> dict[str, Callable[[], tuple[Scope, AuditFilter, str]]]:
    """Return the kinds of search: each makes scope, filter and cursor anew, for a large or a small tenant in turn."""
    from imagefactory.domain.audit.selectors import AuditFilter, Scope

    def tenant() -> tuple[int, Scope]:
        number = chance.choice([1, chance.randrange(2, TENANTS)])
        return number, Scope(("tenant_id = %s",), (_id("c", number),))

    everything = Scope((), ())

    def day(days: float) -> dict[str, Any]:
        begin = start + SPAN * chance.random() * 0.9
        return {"since": begin, "until": begin + dt.timedelta(days=days)}

    def cursor() -> str:
        at = start + SPAN * chance.random()
        return f"{int(at.timestamp() * 1_000_000)}.{'0' * 32}"

    def of(make: Callable[[int], dict[str, Any]]) -> Callable[[], tuple[Scope, AuditFilter, str]]:
        def one() -> tuple[Scope, AuditFilter, str]:
            number, scope = tenant()
            return scope, AuditFilter(**make(number)), ""

        return one

    def rare() -> str:
        return f"rare{chance.randrange(50021)}"

    def word() -> str:
        return "word" + str(chance.randrange(100)).translate(str.maketrans("0123456789", "abcdefghij"))

    def few_projects() -> tuple[Scope, AuditFilter, str]:
        number, scope = tenant()
        mine = [_id("9", number * 20 + n) for n in (3, 7, 11)]
        return (
            Scope((*scope.clauses, "project_id = any(%s)"), (*scope.values, mine)),
            AuditFilter(text=rare(), **day(90)),
            "",
        )

    def deep() -> tuple[Scope, AuditFilter, str]:
        return tenant()[1], AuditFilter(), cursor()

    builds = rows // 4
    return {
        "newest of a tenant": of(lambda _: {}),
        "a page deep in the past": deep,
        "a day of a tenant": of(lambda _: day(1)),
        "a busy person": of(lambda t: {"user": str(_id("a", t * 50))}),
        "a quiet person, a week": of(lambda t: {"user": str(_id("a", t * 50 + chance.randrange(1, 50))), **day(7)}),
        "a person by e-mail": of(lambda t: {"user": f"person{t * 50 + chance.randrange(50)}@example.com"}),
        "a frequent action": of(lambda _: {"action": "build.started"}),
        "a rare action": of(lambda _: {"action": "member.role_set"}),
        "the beginning of an action": of(lambda _: {"action": "member."}),
        "an object": of(lambda _: {"resource": str(_id("b", chance.randrange(builds)))}),
        "a project": of(lambda t: {"project_id": _id("9", t * 20 + chance.randrange(20))}),
        "refusals, a month": of(lambda _: {"result": "refused", **day(30)}),
        "an address": of(lambda t: {"address": f"10.{t % 200}.{chance.randrange(5)}.{chance.randrange(200)}"}),
        "frequent text, a month": of(lambda _: {"text": word(), **day(30)}),
        "rare text, a month": of(lambda _: {"text": rare(), **day(30)}),
        "rare text, all time": of(lambda _: {"text": rare()}),
        "beginning of a word, a month": of(lambda _: {"text": f"rare{chance.randrange(100, 500)}", **day(30)}),
        "beginning of an id": of(lambda _: {"text": str(_id("b", chance.randrange(builds)))[:33]}),
        "two texts and a person": of(lambda t: {"text": f"{word()} build", "user": f"person{t * 50}"}),
        "text without a match": of(lambda _: {"text": "nosuchword"}),
        "text within 3 of 20 projects, a quarter": few_projects,
        "installation: newest": lambda: (everything, AuditFilter(), ""),
        "installation: rare text, all time": lambda: (everything, AuditFilter(text=rare()), ""),
        "installation: frequent text, a day": lambda: (everything, AuditFilter(text=word(), **day(1)), ""),
        "installation: rare action": lambda: (everything, AuditFilter(action="member.role_set", **day(90)), ""),
    }  # fmt: skip


def _timed(kind: Callable[[], tuple[Scope, AuditFilter, str]], times: int) -> list[float]:
    """Return milliseconds of a page with its total."""
    from imagefactory.domain.audit.selectors import list_entries, total

    spent = []
    for _ in range(times):
        scope, wanted, before = kind()
        began = time.perf_counter()
        page = list_entries(scope, wanted, before=before)
        total(scope, wanted, page)
        spent.append((time.perf_counter() - began) * 1000)
    return spent


def _scanned(kind: Callable[[], tuple[Scope, AuditFilter, str]]) -> float:
    """Return the milliseconds of one such search without any index."""
    from django.db import connection

    switches = ("enable_indexscan", "enable_bitmapscan", "enable_indexonlyscan")
    with connection.cursor() as cursor:
        for name in switches:
            cursor.execute(f"set {name} = off")
        try:
            return _timed(kind, 1)[0]
        finally:
            for name in switches:
                cursor.execute(f"reset {name}")


def _search(address: str, options: Options) -> Iterator[Figure]:
    rows = SMALL if options.quick else ROWS
    began = time.perf_counter()
    start = _fill(address, rows)
    filled = time.perf_counter() - began
    with psycopg.connect(address) as database:
        sizes = database.execute(
            "select sum(pg_table_size(inhrelid)) / 1e9, sum(pg_indexes_size(inhrelid)) / 1e9 from pg_inherits "
            "where inhparent = 'audit_entry'::regclass"
        ).fetchone()
    assert sizes
    yield Figure("entries", rows / 1e6, "million", note=f"filled and indexed in {filled:.0f} s")
    yield Figure("size of the entries", float(sizes[0]), "GB")
    yield Figure("size of their indexes", float(sizes[1]), "GB")
    chance = random.Random(7)
    peers = {"rare text, a month", "newest of a tenant", "an object", "installation: rare text, all time"}
    for name, kind in _kinds(start, rows, chance).items():
        spent = _timed(kind, 15 if options.quick else 40)
        middle, high = spread_figures(name, spent, reach=REACH_MS, note=f"slowest {max(spent):.0f} ms")
        peer = _scanned(kind) if name in peers and not options.quick else None
        if peer is None:
            yield from (middle, high)
        else:
            yield middle
            yield Figure(high.what, high.value, "ms", REACH_MS, peer=peer, peer_name="end to end, once", note=high.note)


_FLAT = """
create table bench_flat (id bigserial primary key, event_id uuid unique, type varchar(80), occurred_at timestamptz,
  tenant_id uuid, project_id uuid, actor_id uuid, actor_kind varchar(10), actor_name varchar(200), address varchar(64),
  request_id varchar(64), payload jsonb);
create index on bench_flat (tenant_id, id desc);
create index on bench_flat (tenant_id, project_id, id desc);
"""


def _flat(envelopes: Sequence[Any]) -> None:
    """Write entries as the flat table had them: one statement, no chain."""
    from django.db import connection

    values = [
        (e.id, e.type, e.occurred_at, e.tenant_id, e.payload.get("project_id"), e.actor_id, e.actor_kind, e.actor_name,
         e.address, e.request_id, json.dumps(e.payload)) for e in envelopes
    ]  # fmt: skip
    row = "(" + ", ".join(["%s"] * 11) + ")"
    with connection.cursor() as cursor:
        cursor.execute(
            "insert into bench_flat (event_id, type, occurred_at, tenant_id, project_id, actor_id, actor_kind, "  # noqa: S608
            f"actor_name, address, request_id, payload) values {', '.join([row] * len(values))} on conflict do nothing",
            [v for one in values for v in one],
        )


def _relay(events: int) -> float:
    """State events, and return how many a second the relay hands on."""
    from imagefactory.entry.jobs.outbox import deliver_batch
    from imagefactory.kernel.outbox.models import OutboxEvent

    OutboxEvent.objects.all().delete()
    for begin in range(0, events, 1000):
        OutboxEvent.objects.bulk_create(
            OutboxEvent(
                type="build.queued", tenant_id=_id("c", n % 50), actor_id=_id("a", n % 500), actor_kind="user",
                actor_name="Ada Lovelace", actor_email="ada@example.com", source="builds", correlation_id=str(_id("b", n)),
                request_id=f"{n:016x}", address="192.0.2.7",
                payload={"project_id": str(_id("9", n % 1000)), "build_id": str(_id("b", n)), "number": n,
                         "why": "submitted", "before": {"status": "draft"}, "after": {"status": "queued"}},
            ) for n in range(begin, begin + 1000)
        )  # fmt: skip
    began = time.perf_counter()
    while deliver_batch():
        pass
    return events / (time.perf_counter() - began)


def _writing(address: str, data: Path, options: Options) -> Iterator[Figure]:
    from imagefactory.domain.audit.services.checkpoints import sign_due_checkpoints
    from imagefactory.domain.audit.services.verify import verify
    from imagefactory.reactions import table

    events = EVENTS // 4 if options.quick else EVENTS
    with psycopg.connect(address, autocommit=True) as database:
        database.execute(_FLAT)
        ours = table.TABLE
        rates: dict[str, list[float]] = {"chain": [], "flat": []}
        for _ in range(2):  # in turns, since the machine is not alone
            rates["chain"].append(_relay(events))
            table.TABLE = (("*", _flat), *ours[1:])
            rates["flat"].append(_relay(events))
            table.TABLE = ours
        yield Figure(
            "events handed on by the relay", statistics.mean(rates["chain"]), "events/s", more=True,
            peer=statistics.mean(rates["flat"]), peer_name="the flat table that was before",
        )  # fmt: skip
        sign_due_checkpoints(data)
    with psycopg.connect(address) as database:
        began = time.perf_counter()
        report = verify(database, data)
        spent = time.perf_counter() - began
    if report.problems or report.rows != 2 * events:
        raise RuntimeError(f"{report.rows} entries, {report.problems[:1]}")
    yield Figure("entries checked by `audit verify`", report.rows / spent, "entries/s", more=True)


def measure(options: Options) -> Iterator[Figure]:
    """Yield the figures of writing, then those of searching; the database goes with its directory."""
    with places.ground() as ground:
        free = shutil.disk_usage(ground.server).free / 2**30
        yield from _writing(ground.owner, ground.data, options)
        if free < ROOM_GIB and not options.quick:
            yield Figure("searches", None, "ms", note=f"{free:.0f} GiB are free, {ROOM_GIB} are wanted")
            return
        with psycopg.connect(ground.owner, autocommit=True) as database:
            database.execute("set imagefactory.audit_truncate = 'allowed'")
            database.execute("truncate audit_entry, audit_head, outbox_outboxevent, bench_flat")
        yield from _search(ground.owner, options)
