"""Every executor keeps the contract of `executors/base.py`: the same tests for the fake and for real
jails."""

from __future__ import annotations

import dataclasses
import json
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from imagefactory.executors.base import (
    Command,
    End,
    Executor,
    ExecutorUnavailable,
    Exited,
    Finished,
    Output,
    Plan,
    PlanRefused,
    Started,
    Usage,
)
from imagefactory.executors.fake import FakeExecutor
from imagefactory.executors.local.executor import LocalExecutor
from imagefactory.executors.told import sentences
from tests.executors.stand import SMALL, DegradedStand, Played, Stand, needs_root, plan


@dataclasses.dataclass
class Subject:
    """An executor, and commands that mean the same on each."""

    executor: Executor
    prints: Callable[[str], Command]
    fails: Command
    sleeps: Command


def _fake(place: Path) -> Subject:
    def command(**env: str) -> Command:
        return Command("build", ["fake"], env)

    # Like a process, it says something before it sleeps.
    return Subject(
        FakeExecutor(place), lambda text: command(FAKE_TEXT=text), command(FAKE_END="failed"),
        command(FAKE_SECONDS="60", FAKE_TEXT="asleep"),
    )  # fmt: skip


def _local(executor: Executor) -> Subject:
    def shell(script: str) -> Command:
        return Command("build", ["sh", "-c", script])

    return Subject(
        executor,
        lambda text: Command("build", ["echo", text]),
        shell("exit 7"),
        shell("echo asleep; sleep 60"),
    )


_REAL = [needs_root, pytest.mark.real]


@pytest.fixture(params=["fake", pytest.param("jail", marks=_REAL), pytest.param("degraded", marks=_REAL)])
def subject(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Subject]:
    if request.param == "fake":
        yield _fake(tmp_path / "fake")
        return
    stand = Stand() if request.param == "jail" else DegradedStand()
    try:
        stand.start()
        yield _local(stand.executor)
    finally:
        stand.remove()


def _plan(subject: Subject, *commands: Command, seconds: int = 60) -> Plan:
    limits = dataclasses.replace(SMALL, timeout_seconds=seconds)
    return dataclasses.replace(plan(subject.executor, ["placeholder"]), commands=commands, limits=limits)


def test_commands_run_in_order_and_the_run_ends_with_exactly_one_finished(subject: Subject) -> None:
    given = _plan(subject, subject.prints("one"), subject.prints("two"))
    events = list(subject.executor.start(given).events())
    kept = [e for e in events if not isinstance(e, Usage)]
    assert [type(e) for e in kept] == [Started, Output, Exited, Started, Output, Exited, Finished]
    assert [(e.index, e.data) for e in kept if isinstance(e, Output)] == [(0, b"one\n"), (1, b"two\n")]
    assert kept[-1] == Finished(End.SUCCEEDED)
    subject.executor.cleanup(given.execution_id)


def test_a_failing_command_ends_the_plan_with_a_sentence(subject: Subject) -> None:
    given = _plan(subject, subject.fails, subject.prints("never"))
    played = Played(list(subject.executor.start(given).events()))
    assert played.end is End.FAILED
    assert played.reason.endswith(".")
    assert "never" not in played.text
    subject.executor.cleanup(given.execution_id)


def test_cancel_from_another_thread_ends_the_run_and_may_be_repeated(subject: Subject) -> None:
    given = _plan(subject, subject.sleeps)
    run = subject.executor.start(given)
    events = run.events()
    seen = [next(events)]
    while not isinstance(seen[-1], Output):
        seen.append(next(events))
    for _ in range(3):
        thread = threading.Thread(target=run.cancel)
        thread.start()
        thread.join()
    assert Played([*seen, *events]).end is End.CANCELLED
    run.cancel()
    subject.executor.cleanup(given.execution_id)


def test_a_run_that_takes_too_long_is_timed_out(subject: Subject) -> None:
    given = _plan(subject, subject.sleeps, seconds=1)
    played = Played(list(subject.executor.start(given).events()))
    assert played.end is End.TIMED_OUT
    assert played.reason.endswith(".")
    subject.executor.cleanup(given.execution_id)


def test_cleanup_leaves_nothing_and_may_be_repeated(subject: Subject) -> None:
    given = _plan(subject, subject.prints("x"))
    list(subject.executor.start(given).events())
    assert given.execution_id in subject.executor.leftovers()
    subject.executor.cleanup(given.execution_id)
    subject.executor.cleanup(given.execution_id)
    assert subject.executor.leftovers() == []
    assert not given.workspace.exists()


def test_cleanup_of_an_execution_that_was_never_there_is_no_error(subject: Subject) -> None:
    subject.executor.cleanup("0123456789abcdef")
    assert subject.executor.leftovers() == []


def test_isolation_names_what_stood(subject: Subject) -> None:
    given = _plan(subject, subject.prints("x"))
    run = subject.executor.start(given)
    list(run.events())
    assert (run.isolation.level == "jail") == (not run.isolation.missing)
    assert run.isolation.uid or run.isolation.level == "none"
    subject.executor.cleanup(given.execution_id)


def test_what_is_expected_is_what_is_in_force(subject: Subject) -> None:
    foretold = subject.executor.expected("none")
    given = _plan(subject, subject.prints("x"))
    run = subject.executor.start(given)
    list(run.events())
    subject.executor.cleanup(given.execution_id)
    same = ("level", "runtime", "cgroup", "network", "many_ids")
    assert [getattr(foretold, name) for name in same] == [getattr(run.isolation, name) for name in same]
    assert set(foretold.missing) == set(run.isolation.missing)
    assert all(line.endswith(".") for line in sentences(foretold, "none"))


def test_what_out_holds_is_readable_by_the_dispatcher(subject: Subject) -> None:
    given = _plan(subject, subject.prints("x"))
    if subject.executor.name == "local":
        write = "mkdir -p out/image; echo '{}' > out/image/index.json; chmod 000 out/image/index.json out/image"
        given = dataclasses.replace(given, commands=[Command("build", ["sh", "-c", write])])
    list(subject.executor.start(given).events())
    index = given.workspace / "out" / "image" / "index.json"
    assert isinstance(json.loads(index.read_text()), dict)
    assert index.stat().st_uid in {os.geteuid(), 64000, 65534}
    subject.executor.cleanup(given.execution_id)


def test_an_executor_that_is_away_says_so_in_a_sentence(tmp_path: Path) -> None:
    for away in (
        LocalExecutor(tmp_path / "no.sock"),
        FakeExecutor(tmp_path / "f", refuse="No slot is free."),
    ):
        with pytest.raises(ExecutorUnavailable, match=r"\.$"):
            away.workspace("0123456789abcdef", 64)


@needs_root
def test_a_plan_that_breaks_a_bound_is_refused_with_the_reason() -> None:
    stand = Stand()
    try:
        stand.start()
        given = plan(stand.executor, ["true"])
        for limits in (dataclasses.replace(SMALL, pids=0), dataclasses.replace(SMALL, cpus=-1)):
            with pytest.raises(PlanRefused, match=r"\.$"):
                stand.executor.start(dataclasses.replace(given, limits=limits))
        assert Played(list(stand.executor.start(given).events())).end is End.SUCCEEDED
        for name in ("../../etc", "a/b", "", "-rf", "0123456789abcdef/../x"):
            with pytest.raises(PlanRefused, match="execution id"):
                stand.executor.workspace(name, 64)
    finally:
        stand.remove()
