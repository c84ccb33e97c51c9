"""Every way to change the record is found, and the first bad entry is named; nothing else is."""

from __future__ import annotations

import datetime as dt
import shutil
import uuid
from collections.abc import Iterator

import pytest
from django.db import DatabaseError, connection, transaction

from imagefactory.domain.audit import keys, witness
from imagefactory.domain.audit.canonical import FIELDS, INSTALLATION, Row, row_hash
from imagefactory.domain.audit.models import AuditEntry, ChainHead, Checkpoint
from imagefactory.domain.audit.services.checkpoints import sign_due_checkpoints
from imagefactory.domain.audit.services.verify import Problem
from imagefactory.kernel import env
from imagefactory.kernel.clock import now
from tests.audit.trail import T1, T2, as_superuser, checked, write

NO_WAIT = dt.timedelta(0)


@pytest.fixture(autouse=True)
def alone(db: None) -> Iterator[None]:
    data = env.get().data_dir
    shutil.rmtree(data / "audit", ignore_errors=True)
    yield
    shutil.rmtree(data / "audit", ignore_errors=True)


def sign() -> int:
    return sign_due_checkpoints(env.get().data_dir, every_rows=1, every=NO_WAIT)


def first() -> Problem:
    problems = checked().problems
    assert problems
    return problems[0]


def rehash(seq: int, tenant: uuid.UUID = T1) -> None:
    """Give the entry the hash that fits what it says now, as one who knows the code can."""
    row = AuditEntry.objects.get(tenant_id=tenant, seq=seq)
    with connection.cursor() as cursor:
        cursor.execute("select tsvector_to_array(search) from audit_entry where event_id = %s", [row.event_id])
        words = cursor.fetchone()[0]
    said = Row(**{f: words if f == "words" else getattr(row, f) for f in FIELDS})
    made = row_hash(said, seq, row.recorded_at, bytes(row.prev_hash))
    as_superuser("update audit_entry set hash = %s where event_id = %s", made, row.event_id)


def rewrite_from(seq: int) -> None:
    """Write the chain anew from an entry on, head and all."""
    last = ChainHead.objects.get(chain=T1).seq
    for number in range(seq, last + 1):
        if number > 1:
            before = bytes(AuditEntry.objects.get(tenant_id=T1, seq=number - 1).hash)
            as_superuser("update audit_entry set prev_hash = %s where tenant_id = %s and seq = %s", before, T1, number)
        rehash(number)
    ChainHead.objects.filter(chain=T1).update(hash=AuditEntry.objects.get(tenant_id=T1, seq=last).hash)


def test_an_untouched_trail_has_no_problem_and_says_its_figures() -> None:
    write(5)
    write(3, T2)
    write(2, None)
    assert sign() == 3
    write(1)
    report = checked()
    assert (report.problems, report.chains, report.rows, report.checkpoints) == ([], 3, 11, 3)
    assert checked(tenant=T2).rows == 3


@pytest.mark.parametrize("column", [*(f for f in FIELDS if f != "words"), "search", "recorded_at", "prev_hash", "hash"])
def test_a_changed_column_is_found_whichever_it_is(column: str) -> None:
    write(5, payload={"project_id": "00000000-0000-0000-0000-000000000009", "before": {"a": 1}, "after": {"a": 2}})
    change = {
        "event_id": "gen_random_uuid()", "occurred_at": "occurred_at + interval '1 microsecond'",
        "recorded_at": "recorded_at + interval '1 microsecond'", "tenant_id": "null", "project_id": "gen_random_uuid()",
        "actor_id": "gen_random_uuid()", "key_id": "gen_random_uuid()", "before": """'{"a": 0}'""",
        "after": """'{"a": 1}'""", "details": """'{"b": 1}'""", "result": "'failed'", "search": "'nothing'",
        "prev_hash": r"'\x00'", "hash": r"'\x00'",
    }.get(column, f"{column} || 'x'")  # fmt: skip
    as_superuser(f"update audit_entry set {column} = {change} where tenant_id = %s and seq = 3", T1)
    found = next(p for p in checked().problems if p.chain == T1)
    assert found.seq == 3
    assert found.what.startswith("it was changed" if column != "tenant_id" else "entries 3 to 3 are missing")


def test_a_changed_entry_with_a_hash_that_fits_is_found_by_the_next() -> None:
    write(5)
    as_superuser("update audit_entry set actor_name = 'Somebody' where tenant_id = %s and seq = 3", T1)
    rehash(3)
    assert (first().seq, "entry 4 does not follow from it" in first().what) == (3, True)


def test_the_last_entry_changed_with_its_hash_is_found_by_the_head() -> None:
    write(5)
    as_superuser("update audit_entry set actor_name = 'Somebody' where tenant_id = %s and seq = 5", T1)
    rehash(5)
    assert (first().seq, "head" in first().what) == (5, True)


def test_a_deleted_entry_is_found() -> None:
    write(5)
    as_superuser("delete from audit_entry where tenant_id = %s and seq = 3", T1)
    assert (first().seq, first().what) == (3, "entries 3 to 3 are missing: they were deleted.")


def test_the_first_entries_deleted_are_found() -> None:
    write(5)
    as_superuser("delete from audit_entry where tenant_id = %s and seq <= 2", T1)
    assert (first().seq, first().what) == (1, "entries 1 to 2 are missing: they were deleted.")


def _copy(seq: str) -> None:
    columns = [f if f != "words" else "search" for f in FIELDS if f != "event_id"]
    as_superuser(
        f"insert into audit_entry (event_id, {', '.join(columns)}, recorded_at, prev_hash, hash, seq) "
        f"select gen_random_uuid(), {', '.join(columns)}, recorded_at, prev_hash, hash, {seq} from audit_entry "
        "where tenant_id = %s and seq = 3",
        T1,
    )


def test_an_inserted_entry_is_found_in_the_middle_and_at_the_end() -> None:
    write(5)
    as_superuser(
        "update audit_entry set occurred_at = occurred_at + interval '1 second' where seq = 99 or seq = 1",
    )
    as_superuser("update audit_entry set occurred_at = occurred_at - interval '1 second' where seq = 1")
    assert checked().problems == []
    _copy("6")
    assert first().seq == 6
    rehash(6)
    assert first().seq in {5, 6}


def test_two_swapped_entries_are_found() -> None:
    write(5)
    as_superuser(
        "update audit_entry set seq = case seq when 2 then 4 else 2 end where tenant_id = %s and seq in (2, 4)", T1
    )
    assert (first().seq, "another's place" in first().what) == (2, True)


def test_a_cut_tail_is_found_by_the_head_and_with_the_head_by_the_checkpoint() -> None:
    write(5)
    as_superuser("delete from audit_entry where tenant_id = %s and seq > 3", T1)
    assert (first().seq, "the tail was cut off" in first().what) == (4, True)
    kept = AuditEntry.objects.get(tenant_id=T1, seq=3)
    ChainHead.objects.filter(chain=T1).update(seq=3, hash=kept.hash)
    assert checked().problems == [], "without a checkpoint nobody can tell; so they are signed every few minutes"


def test_a_tail_cut_with_its_head_is_found_once_a_checkpoint_was_signed() -> None:
    write(5)
    sign()
    as_superuser("delete from audit_entry where tenant_id = %s and seq > 3", T1)
    ChainHead.objects.filter(chain=T1).update(seq=3, hash=AuditEntry.objects.get(tenant_id=T1, seq=3).hash)
    assert (first().seq, "which a checkpoint was signed for" in first().what) == (4, True)
    as_superuser("delete from audit_checkpoint")
    assert (first().chain, first().seq, "were deleted" in first().what) == (None, 1, True), (
        "the file outside remembers it"
    )


def test_a_chain_written_anew_as_a_whole_is_found_by_the_checkpoint() -> None:
    write(5)
    as_superuser("update audit_entry set actor_name = 'Somebody' where tenant_id = %s and seq = 2", T1)
    rewrite_from(2)
    assert checked().problems == []
    write(1)
    sign()
    as_superuser("update audit_entry set actor_name = 'Nobody' where tenant_id = %s and seq = 2", T1)
    rewrite_from(2)
    assert (first().seq, "a signed checkpoint says otherwise" in first().what) == (6, True)


def test_a_whole_chain_deleted_with_its_head_is_found() -> None:
    write(3)
    sign()
    as_superuser("delete from audit_entry where tenant_id = %s", T1)
    ChainHead.objects.all().delete()
    assert checked().rows == 0
    assert (checked(tenant=T1).problems[0].seq, first().seq) == (1, 1)


@pytest.mark.parametrize(
    "column", ["chain", "seq", "hash", "kind", "made_at", "kept_hash", "previous", "key_id", "signature"]
)
def test_a_forged_checkpoint_is_found_whatever_was_changed(column: str) -> None:
    write(3)
    sign()
    write(2)
    sign()
    change = {
        "chain": f"'{T2}'", "seq": "seq + 1", "hash": r"'\x00'", "kind": "'removal'", "made_at": "made_at + interval '1 s'",
        "kept_hash": r"'\x00'", "previous": r"'\x00'", "key_id": "'0123456789abcdef'", "signature": r"'\x00'",
    }[column]  # fmt: skip
    as_superuser(f"update audit_checkpoint set {column} = {change} where number = 1")
    assert (first().chain, first().seq) == (None, 1)


def test_a_checkpoint_signed_by_another_key_is_forged_and_one_by_a_former_key_is_not() -> None:
    write(2)
    sign()
    place = keys.directory(env.get().data_dir)
    old, new = keys.rotate(place)
    write(1)
    sign()
    assert old != new
    assert set(Checkpoint.objects.values_list("key_id", flat=True)) == {old, new}
    assert checked().problems == []
    (place / f"{old}.pem").rename(place / "away")
    try:
        assert (first().chain, first().seq) == (None, 1)
    finally:
        (place / "away").rename(place / f"{old}.pem")


def test_a_deleted_checkpoint_is_found() -> None:
    for _ in range(3):
        write(1)
        sign()
    as_superuser("delete from audit_checkpoint where number = 2")
    assert (first().chain, first().seq, first().what) == (None, 2, "checkpoints 2 to 2 are missing.")


def test_a_witness_that_was_changed_is_told() -> None:
    write(1)
    sign()
    data = env.get().data_dir
    (data / "audit" / "newest-checkpoint.json").write_text("{}")
    assert "was changed, or damaged" in first().what
    witness.remember(data, 1, b"another")
    assert "written down outside" in first().what


def test_a_range_of_time_is_checked_alone() -> None:
    start = now() - dt.timedelta(days=3)
    for day in range(4):
        write(2, at=start + dt.timedelta(days=day))
    as_superuser("update audit_entry set actor_name = 'x' where tenant_id = %s and seq = 2", T1)
    late = checked(since=start + dt.timedelta(days=1))
    assert (late.problems, late.rows) == ([], 6)
    assert checked(until=start + dt.timedelta(hours=1)).problems[0].seq == 2
    assert checked(since=now() + dt.timedelta(days=1)).rows == 0


@pytest.mark.parametrize(
    "statement",
    [
        "update audit_entry set actor_name = 'x'", "delete from audit_entry", "delete from audit_checkpoint",
        "update audit_checkpoint set seq = 1", "delete from audit_entry_y{:%Ym%m}",
        "set local imagefactory.audit_truncate = ''; truncate audit_entry",
        "set local imagefactory.audit_truncate = ''; truncate audit_entry_y{:%Ym%m}",
        "set local imagefactory.audit_truncate = ''; truncate audit_checkpoint",
    ],
)  # fmt: skip
def test_the_database_refuses_to_change_the_trail(statement: str) -> None:
    write(2)
    sign()
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement.format(now()))
    assert AuditEntry.objects.count() == 2


def test_rows_without_tenant_are_the_installations_chain() -> None:
    write(2, None)
    write(1)
    assert list(ChainHead.objects.order_by("chain").values_list("chain", "seq")) == [(INSTALLATION, 2), (T1, 1)]
