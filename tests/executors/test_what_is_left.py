"""However a run ends, no process, mount, control group, network, rule or directory of it is left."""

from __future__ import annotations

import dataclasses
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from imagefactory.executors.base import End, Finished
from tests.executors.stand import (
    BUD,
    CLIENT,
    SMALL,
    SOURCE,
    Stand,
    dockerfile,
    needs_buildah,
    needs_root,
    plan,
    processes_of,
    running,
    sh,
    wait_until,
)  # fmt: skip

pytestmark = [needs_root, pytest.mark.real]
STUBBORN = sh("trap '' TERM INT HUP; (trap '' TERM; setsid sleep 301) & echo up; while true; do sleep 302; done")


def test_a_run_that_ended_well_leaves_nothing(stand: Stand) -> None:
    given = plan(stand.executor, sh("echo x > /build/file"), network="open")
    run = stand.executor.start(given)
    assert list(run.events())[-1] == Finished(End.SUCCEEDED)
    stand.executor.cleanup(given.execution_id)
    assert stand.traces(run.isolation.uid) == []


@pytest.mark.parametrize("network", ["none", "open"])
def test_cancel_leaves_nothing_of_processes_that_ignore_signals(stand: Stand, network: str) -> None:
    given = plan(stand.executor, STUBBORN, network=network)
    with running(stand.executor, given) as (run, events):
        assert processes_of(run.isolation.uid)
        before = time.monotonic()
        run.cancel()
        last = list(events)[-1]
        assert isinstance(last, Finished)
        assert last.end is End.CANCELLED
        assert time.monotonic() - before < 5
        stand.executor.cleanup(given.execution_id)
        assert stand.traces(run.isolation.uid) == []


@needs_buildah
def test_cancel_in_the_middle_of_a_run_step_leaves_nothing(stand: Stand) -> None:
    given = plan(stand.executor, BUD, limits=dataclasses.replace(SMALL, memory_mib=512))
    dockerfile("FROM base\nRUN echo deep && sleep 303\n")(given.workspace)
    run = stand.executor.start(given)
    for event in run.events():
        if b"deep\n" in getattr(event, "data", b""):
            run.cancel()
    stand.executor.cleanup(given.execution_id)
    assert stand.traces(run.isolation.uid) == []


def test_cleanup_while_it_runs_ends_it_first(stand: Stand) -> None:
    given = plan(stand.executor, STUBBORN, network="registry")
    with running(stand.executor, given) as (run, _):
        stand.executor.cleanup(given.execution_id)
        assert stand.traces(run.isolation.uid) == []


_CLIENT = """
import sys
from pathlib import Path
from imagefactory.executors.base import Command, Limits, Plan
from imagefactory.executors.local.executor import LocalExecutor
executor = LocalExecutor(Path(sys.argv[1]))
ws = executor.workspace("feedfeedfeedfeed", 128)
script = "trap '' TERM; (setsid sleep 304) & echo up; sleep 305"
limits = Limits(1, 256, 128, 100, 60)
run = executor.start(Plan("feedfeedfeedfeed", ws, [Command("b", ["sh", "-c", script])], limits, "open"))
print(run.isolation.uid, flush=True)
for event in run.events():
    if getattr(event, "data", b""):
        print("up", flush=True)
"""


def test_a_dispatcher_killed_with_kill_9_takes_its_build_along(stand: Stand) -> None:
    env = {"PATH": os.environ["PATH"], "PYTHONPATH": str(SOURCE)}
    argv = [sys.executable, "-c", _CLIENT, str(stand.socket)]
    with subprocess.Popen(argv, env=env, stdout=subprocess.PIPE, text=True, user=CLIENT, group=CLIENT) as client:
        assert client.stdout is not None
        uid = int(client.stdout.readline())
        assert client.stdout.readline() == "up\n"
        assert processes_of(uid)
        client.kill()
    wait_until(lambda: stand.traces(uid) == [], "nothing is left")


def test_a_helper_killed_with_kill_9_sweeps_when_it_is_back(stand: Stand) -> None:
    given = plan(stand.executor, STUBBORN, network="open")
    idle = plan(stand.executor, ["true"])
    run = stand.executor.start(given)
    events = run.events()
    while not getattr(next(events), "data", b""):
        pass
    uid = run.isolation.uid
    stand.end(signal.SIGKILL)
    last = list(events)[-1]
    assert isinstance(last, Finished)
    assert last.end is End.LOST
    wait_until(lambda: not processes_of(uid), "the kernel ended the jail with its parent")
    assert idle.workspace.exists()
    stand.start()
    assert stand.traces(uid) == []
    assert stand.executor.leftovers() == []


def test_a_helper_that_is_asked_to_end_leaves_nothing(stand: Stand) -> None:
    given = plan(stand.executor, STUBBORN, network="open")
    with running(stand.executor, given) as (run, _):
        stand.end(signal.SIGTERM)
        assert stand.traces(run.isolation.uid) == []


def test_a_stranger_is_not_served(stand: Stand) -> None:
    stand.socket.chmod(0o666)
    argv = [sys.executable, "-c", _CLIENT, str(stand.socket)]
    env = {"PATH": os.environ["PATH"], "PYTHONPATH": str(SOURCE)}
    done = subprocess.run(argv, env=env, capture_output=True, text=True, user=CLIENT - 1, group=CLIENT - 1, check=False)
    assert "may not be its client" in done.stderr or "stopped answering" in done.stderr
    assert list(stand.builds.iterdir()) == []


def test_a_builds_directory_that_is_a_link_is_refused(stand: Stand) -> None:
    stand.end()
    stand.builds.rmdir()
    victim = stand.place / "victim"
    victim.mkdir(mode=0o755)
    os.chown(victim, CLIENT, CLIENT)
    stand.builds.symlink_to(victim)
    argv = [sys.executable, "-m", "imagefactory.executors.local.helper", "--socket", str(stand.socket)]
    done = subprocess.run(
        [*argv, "--builds", str(stand.builds), "--client-uid", str(CLIENT)],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(SOURCE)},
        capture_output=True,
        text=True,
        timeout=10,
        check=False,
    )
    assert done.returncode != 0
    assert victim.stat().st_uid == CLIENT
    stand.builds.unlink()


def test_the_jail_costs_less_than_300_ms(stand: Stand) -> None:
    """A guard against a slip of a magnitude, not a benchmark: it takes about 50 ms."""
    best = 99.0
    for _ in range(5):
        before = time.monotonic()
        given = plan(stand.executor, ["true"])
        list(stand.executor.start(given).events())
        stand.executor.cleanup(given.execution_id)
        best = min(best, time.monotonic() - before)
    assert best < 0.3


def test_a_million_lines_come_through_whole(stand: Stand) -> None:
    given = plan(stand.executor, sh("seq 1 1000000; seq 1 3 >&2"))
    out, err, before = 0, b"", time.monotonic()
    for event in stand.executor.start(given).events():
        if (stream := getattr(event, "stream", "")) == "out":
            out += event.data.count(b"\n")  # type: ignore[union-attr]  # only Output has a stream
        elif stream == "err":
            err += event.data  # type: ignore[union-attr]  # only Output has a stream
    assert (out, err) == (1_000_000, b"1\n2\n3\n")
    assert out / (time.monotonic() - before) > 100_000
    stand.executor.cleanup(given.execution_id)
    assert not Path(given.workspace).exists()
