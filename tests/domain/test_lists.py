"""Lists of builds: each filter finds what it says, and reads by an index however long the list is."""

from __future__ import annotations

import datetime as dt
import uuid

from django.db import connection
from django.test.utils import CaptureQueriesContext

from imagefactory.domain.builds import queue, selectors
from imagefactory.domain.builds.models import Build
from imagefactory.domain.builds.selectors import BuildFilter
from imagefactory.domain.builds.services import execution
from imagefactory.domain.builds.services.submit import submit_build
from imagefactory.kernel import ids
from tests.conftest import INLINE, World

COMMIT = "c4ca4238a0b923820dcc509a6f75849b00000000"


def submit(world: World, role: str = "owner", trigger: str = "api", **manifest: object) -> uuid.UUID:
    return submit_build(world.actor(role), world.project.id, {**INLINE, **manifest}, trigger=trigger).id


def found(world: World, **wanted: object) -> set[uuid.UUID]:
    owner, asked = world.actor("owner"), BuildFilter(**wanted)  # type: ignore[arg-type]
    rows, _ = selectors.list_builds(owner, asked)
    assert selectors.count_builds(owner, asked) == len(rows)
    return {row.id for row in rows}


def test_text_finds_names_messages_commits_from_their_start_and_numbers(world: World) -> None:
    first, second = submit(world, name="checkout"), submit(world, name="payments")
    for build, commit, message in (
        (first, COMMIT, "Mend the Flux capacitor to 100%"),
        (second, "0" * 40, "Use snake_case"),
    ):
        claim = queue.claim("w")
        assert claim is not None
        assert claim.build_id == build
        execution.set_commit(claim, commit=commit, message=message)
    for text in ("checkout", "FLUX", "flux cap", COMMIT[:7], COMMIT.upper(), "100%", "#1"):
        assert found(world, text=text) == {first}, text
    assert first in found(world, text="1")
    assert found(world, text="#2") == {second}
    assert found(world, text="snake_case") == {second}
    # Signs of the pattern language mean themselves, and a commit is not found by its middle.
    assert found(world, text="%") == {first}
    for text in ("snakeXcase", "mend%capacitor", COMMIT[1:9], "#22", "nothing", "@" + COMMIT[:6]):
        assert found(world, text=text) == set(), text


def test_trigger_author_and_time_narrow_the_list(world: World) -> None:
    mine, hooked = submit(world), submit(world, "admin", trigger="webhook")
    assert found(world, trigger="webhook") == {hooked}
    assert found(world, trigger="schedule") == set()
    assert found(world, author=world.users["admin"]) == {hooked}
    born = {row.id: row.created_at for row in selectors.list_builds(world.actor("owner"), BuildFilter())[0]}
    hour = dt.timedelta(hours=1)
    assert found(world, since=born[mine] - hour, until=born[hooked] + hour) == {mine, hooked}
    assert found(world, since=born[hooked] + hour) == set()
    assert found(world, until=born[mine] - hour) == set()
    assert found(world, until=dt.datetime(435, 2, 17, tzinfo=dt.UTC)) == set()
    assert found(world, since=dt.datetime(435, 2, 17, tzinfo=dt.UTC)) == {mine, hooked}
    assert found(world, text="build", since=born[mine] - hour, trigger="api") == {mine}


def test_the_first_id_of_a_moment_parts_older_ids_from_newer() -> None:
    moment = dt.datetime.now(dt.UTC)
    made = ids.uuid7()
    assert ids.first_at(moment) <= made < ids.first_at(moment + dt.timedelta(seconds=5))
    for far, older in ((dt.datetime.min, False), (dt.datetime(1969, 12, 31), False), (dt.datetime.max, True)):  # noqa: DTZ001, DTZ901 - given a zone below
        assert (made < ids.first_at(far.replace(tzinfo=dt.UTC))) is older


def many(world: World, count: int) -> None:
    """Copy the newest build of the world many times, each an earlier second, still queued."""
    with connection.cursor() as cursor:
        cursor.execute("create temp table copied on commit drop as select * from builds_build where id = %s", [
            Build.objects.filter(tenant_id=world.tenant_id).latest("id").id
        ])  # fmt: skip
        cursor.execute(
            "insert into builds_build select b.* from copied c, generate_series(1, %s) n, "
            "jsonb_populate_record(null::builds_build, to_jsonb(c) || jsonb_build_object("
            "'id', overlay(gen_random_uuid()::text placing '019' from 1), 'number', 1000000 + n, 'queued_at', c.queued_at - n * interval '1 second')) b",
            [count],
        )
        cursor.execute(
            "insert into builds_buildtext select id, upper(name || E'\n'), upper('@' || commit || ' #' || number || ' ') "
            "from builds_build on conflict do nothing"
        )
        cursor.execute("set constraints all immediate")
        cursor.execute("analyze builds_build")
        cursor.execute("analyze builds_buildtext")


def test_a_place_in_a_long_queue_is_counted_to_a_thousand_and_no_further(world: World) -> None:
    last = submit(world)
    owner = world.actor("owner")
    many(world, 5000)
    place = selectors.queue_place(owner, selectors.get_build(owner, last))
    assert place is not None
    assert place.ahead == selectors.COUNT_CAP + 1
    assert place.reason.startswith("more than 1,000 ahead; ")
    urgent = submit(world, priority=9)
    place = selectors.queue_place(owner, selectors.get_build(owner, urgent))
    assert place is not None
    assert place.ahead == 0
    assert place.reason.startswith("next in line; ")


def test_a_filter_that_finds_nothing_reads_no_table_from_end_to_end(world: World) -> None:
    submit(world)
    many(world, 20_000)
    year = {"since": dt.datetime(2001, 1, 1, tzinfo=dt.UTC), "until": dt.datetime(2002, 1, 1, tzinfo=dt.UTC)}
    for wanted in (
        {"method": "nix"}, {"ref": "nowhere"}, {"trigger": "schedule"}, {"status": "failed"}, {"author": uuid.uuid4()},
        {"text": "nowhere"}, {"text": "#99999999"}, {"text": "feedbeef"}, year,
    ):  # fmt: skip
        with CaptureQueriesContext(connection) as asked:
            assert found(world, **wanted) == set()
        lists = [q["sql"] for q in asked.captured_queries if 'FROM "builds_build"' in q["sql"]]
        assert len(lists) == 2
        for sql in lists:
            with connection.cursor() as cursor:
                cursor.execute(f"explain {sql}")
                plan = "\n".join(row[0] for row in cursor.fetchall())
            assert "Seq Scan on builds_build" not in plan, plan
