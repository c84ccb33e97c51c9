"""Old months go as a whole, and what is left can still be checked, with what went said."""

from __future__ import annotations

import datetime as dt
import shutil
from collections.abc import Iterator

import pytest
from django.db import DatabaseError, connection, transaction

from imagefactory.domain.audit.models import AuditEntry, ChainHead
from imagefactory.domain.audit.services.checkpoints import sign_due_checkpoints
from imagefactory.domain.audit.services.trim import drop_old_months, months
from imagefactory.kernel import env
from imagefactory.kernel.clock import now
from imagefactory.kernel.outbox.models import OutboxEvent
from tests.audit.trail import T1, T2, as_superuser, checked, write


@pytest.fixture(autouse=True)
def alone(db: None) -> Iterator[None]:
    data = env.get().data_dir
    shutil.rmtree(data / "audit", ignore_errors=True)
    yield
    shutil.rmtree(data / "audit", ignore_errors=True)


def month(back: int) -> dt.datetime:
    """Return the middle of the month that is `back` months ago."""
    day = now().replace(day=15, hour=12)
    for _ in range(back):
        day = (day.replace(day=1) - dt.timedelta(days=1)).replace(day=15)
    return day


def drop(days: int) -> int:
    return drop_old_months(env.get().data_dir, days)


def test_old_months_go_and_the_rest_is_still_checked() -> None:
    for back in (5, 4, 3, 0):
        write(3, at=month(back))
        write(1, T2, at=month(back))
    write(2, None, at=month(5))
    sign_due_checkpoints(env.get().data_dir)
    assert drop(100) == 2
    assert sorted(AuditEntry.objects.filter(tenant_id=T1).values_list("seq", flat=True)) == list(range(7, 13))
    report = checked()
    assert (report.problems, report.rows, report.removed) == ([], 8, 10)
    assert report.removed_until == month(3).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    assert drop(100) == 0
    assert OutboxEvent.objects.filter(type="audit.trimmed").count() == 2
    write(1)
    assert checked().problems == []


def test_no_days_keep_everything() -> None:
    write(1, at=month(30))
    assert drop(0) == 0
    assert AuditEntry.objects.count() == 1


def test_a_chain_whose_rows_all_went_is_whole_and_goes_on() -> None:
    write(2, at=month(5))
    assert drop(60) == 1
    assert (checked().problems, checked().removed) == ([], 2)
    write(1)
    assert AuditEntry.objects.get(tenant_id=T1).seq == 3
    assert (checked().problems, checked().rows) == ([], 1)


def test_an_entry_recorded_late_stays_behind_and_is_signed_for() -> None:
    write(1, at=month(5))
    write(2, at=month(3))  # numbers 2 and 3
    write(1, at=month(5))  # number 4, recorded late
    write(1)
    assert drop(130) == 1
    assert sorted(AuditEntry.objects.values_list("seq", flat=True)) == [2, 3, 5]
    assert (checked().problems, checked().removed) == ([], 2)
    as_superuser("delete from audit_entry where tenant_id = %s and seq = 2", T1)
    assert "retention left standing" in checked().problems[0].what


def test_rows_deleted_as_if_by_retention_are_found() -> None:
    write(2, at=month(5))
    write(2)
    as_superuser("delete from audit_entry where seq <= 2")
    assert checked().problems[0].what == "entries 1 to 2 are missing: they were deleted."


def test_rows_deleted_behind_a_removal_are_found() -> None:
    write(2, at=month(5))
    write(3)
    assert drop(60) == 1
    as_superuser("delete from audit_entry where seq = 3")
    assert checked().problems[0].what == "entries 3 to 3 are missing: they were deleted."


def test_a_month_is_not_dropped_without_its_checkpoints_or_when_it_is_young() -> None:
    write(2, at=month(5))
    write(1)
    name = months()[0][0]
    with pytest.raises(DatabaseError, match="have no checkpoint"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("select audit_drop_partition(%s)", [name])
    for other, why in ((months()[-1][0], "too young"), ("audit_head", "no month"), ("audit_entry", "no month")):
        with pytest.raises(DatabaseError, match=why), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("select audit_drop_partition(%s)", [other])
    assert ChainHead.objects.get(chain=T1).seq == AuditEntry.objects.count() == 3
