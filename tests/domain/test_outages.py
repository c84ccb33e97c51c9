"""Work that outlasts a database which is away: repeated until it is back, and only then."""

from __future__ import annotations

from collections.abc import Callable

import psycopg
import pytest
from django.db import InterfaceError, OperationalError, transaction

from imagefactory.kernel import pg


def error(cause: psycopg.Error) -> OperationalError:
    raised = OperationalError(str(cause))
    raised.__cause__ = cause
    return raised


AWAY = error(psycopg.OperationalError("server closed the connection unexpectedly"))
STARTING = error(psycopg.errors.CannotConnectNow("the database system is starting up"))
CLOSED = InterfaceError("connection already closed")
CANCELLED = error(psycopg.errors.QueryCanceled("canceling statement due to statement timeout"))


class Failing:
    """Raises each of these errors once, and then returns how often it was called."""

    def __init__(self, *errors: Exception) -> None:
        self.errors, self.calls = list(errors), 0

    def __call__(self) -> int:
        self.calls += 1
        if self.errors:
            raise self.errors.pop(0)
        return self.calls


@pytest.fixture(autouse=True)
def _no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pg, "_PAUSE_SECONDS", 0.0)


@pytest.mark.committed
@pytest.mark.django_db(transaction=True)
def test_work_is_repeated_until_the_database_is_back() -> None:
    assert pg.outlast(named(Failing(AWAY, STARTING, CLOSED)))() == 4


@pytest.mark.committed
@pytest.mark.django_db(transaction=True)
def test_an_error_of_the_work_itself_is_raised_at_once() -> None:
    for wrong in (CANCELLED, ValueError("x")):
        work = Failing(wrong)
        with pytest.raises(type(wrong)):
            pg.outlast(named(work))()
        assert work.calls == 1


@pytest.mark.committed
@pytest.mark.django_db(transaction=True)
def test_an_outage_without_end_is_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pg, "OUTAGE_SECONDS", -1.0)
    with pytest.raises(OperationalError):
        pg.outlast(named(Failing(AWAY)))()


@pytest.mark.committed
@pytest.mark.django_db(transaction=True)
def test_inside_a_transaction_nothing_is_repeated() -> None:
    work = Failing(AWAY)
    with pytest.raises(OperationalError), transaction.atomic():
        pg.outlast(named(work))()
    assert work.calls == 1


def named(work: Failing) -> Callable[[], int]:
    """Return a function that does this work."""

    def call() -> int:
        return work()

    return call
