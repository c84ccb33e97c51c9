"""Notices that logs grew: many in one statement, sent by themselves, and kept while the database is away."""

from __future__ import annotations

import contextlib
import time

import psycopg
from psycopg.conninfo import make_conninfo

from imagefactory.adapters.logs.notify import LogNotifier, payloads
from imagefactory.adapters.postgres import embedded, temporary


def test_payloads_are_as_few_as_postgresql_allows() -> None:
    ids = [f"{n:036d}" for n in range(1000)]
    found = payloads(ids)
    assert " ".join(found).split() == ids
    assert all(len(payload) < 8000 for payload in found)
    assert len(found) == 6
    assert payloads([]) == []


def test_many_touches_become_few_notices_and_none_is_lost_at_close() -> None:
    with temporary.temporary() as place:
        conninfo = make_conninfo(embedded.embedded_url(place, "app", "postgres"))
        with psycopg.connect(conninfo, autocommit=True) as listener:
            listener.execute("listen log")
            notifier = LogNotifier(conninfo)
            began = time.monotonic()
            for number in range(5000):
                notifier.touch(f"run-{number % 7}")
            notifier.touch("the-last")
            notifier.close()
            notifier.close()
            took = time.monotonic() - began
            heard = [notice.payload for notice in listener.notifies(timeout=0.5)]
    assert set(" ".join(heard).split()) == {f"run-{n}" for n in range(7)} | {"the-last"}
    assert len(heard) <= took / 0.02 + 3


def test_without_a_database_touching_costs_nothing_and_closing_is_bounded() -> None:
    notifier = LogNotifier("host=/nowhere dbname=x")
    began = time.monotonic()
    for _ in range(1000):
        notifier.touch("run-1")
    assert time.monotonic() - began < 0.5
    with contextlib.closing(notifier):
        pass
    assert time.monotonic() - began < 4
