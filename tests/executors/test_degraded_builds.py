"""Without root fewer walls stand; those that do are tried here, and the record names the others."""

from __future__ import annotations

import dataclasses
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from imagefactory.executors.base import End, ExecutorUnavailable, Finished, Isolation, Network
from imagefactory.executors.local.degraded import DegradedRefused, degraded_helper
from imagefactory.executors.local.executor import LocalExecutor
from imagefactory.executors.local.helper.cgroup import mode
from imagefactory.executors.told import sentences
from tests.executors.stand import (
    BUD,
    PUSH,
    SMALL,
    SOURCE,
    DegradedStand,
    Stand,
    dockerfile,
    needs_buildah,
    needs_root,
    plan,
    play,
    processes_of,
    running,
    sh,
    wait_until,
)  # fmt: skip

pytestmark = [needs_root, pytest.mark.real]
ROOMY = dataclasses.replace(SMALL, memory_mib=512, disk_mib=512)


@pytest.fixture
def stand() -> Iterator[DegradedStand]:
    made = DegradedStand()
    try:
        made.start()
        yield made
    finally:
        made.remove()


@needs_buildah
def test_a_degraded_build_makes_an_oci_layout_and_its_record_names_what_was_missing(
    stand: DegradedStand,
) -> None:
    given = plan(stand.executor, BUD, PUSH, limits=ROOMY)
    dockerfile("FROM base\nRUN id -u && echo hi > /greeting\n")(given.workspace)
    run = stand.executor.start(given)
    events = list(run.events())
    text = b"".join(getattr(e, "data", b"") for e in events).decode()
    assert events[-1] == Finished(End.SUCCEEDED), text
    assert (given.workspace / "out" / "image" / "index.json").is_file()
    assert (run.isolation.level, run.isolation.uid, run.isolation.cgroup) == ("degraded", 64000, "none")
    assert {"uid of its own", "control group", "disk limit"} <= set(run.isolation.missing)
    stand.executor.cleanup(given.execution_id)
    assert not given.workspace.exists()


@needs_buildah
def test_the_known_escapes_of_buildah_find_no_file_of_the_host(stand: DegradedStand) -> None:
    with tempfile.TemporaryDirectory(prefix="ifprey-", dir="/var/tmp") as name:
        prey = Path(name)
        prey.chmod(0o777)
        (prey / "treasure").write_text("host treasure")
        for mount in (
            "type=bind,from=trap,source=/poc,target=/p,rw",
            f"type=cache,id={'../' * 8}var,target=/p",
        ):
            steps = f"FROM base AS trap\nRUN ln -s / /poc\nFROM base\nRUN --mount={mount} cat /p{prey}/treasure; echo x > /p{prey}/stolen; true\n"
            assert "host treasure" not in play(stand.executor, BUD, fill=dockerfile(steps), limits=ROOMY).text
        assert [p.name for p in prey.iterdir()] == ["treasure"]


def test_the_hosts_files_are_not_there(stand: DegradedStand) -> None:
    played = play(stand.executor, sh("ls /; cat /etc/shadow; mount -o remount,rw,bind /usr && touch /usr/x; exit 3"))
    assert played.codes == [3]
    assert not {"root", "home", "work", "srv"} & set(played.text.split())
    assert not Path("/usr/x").exists()


@pytest.mark.parametrize(
    ("limits", "script", "end"),
    [
        (
            dataclasses.replace(SMALL, memory_mib=64),
            "python3 -c 'import time; a=bytearray(200<<20); time.sleep(30)'",
            End.OUT_OF_MEMORY,
        ),
        (
            dataclasses.replace(SMALL, disk_mib=64),
            "dd if=/dev/zero of=/build/big bs=1M count=128; sleep 30",
            End.OUT_OF_DISK,
        ),
        (
            dataclasses.replace(SMALL, pids=40),
            "while true; do (sleep 100 &) || sleep 1; done",
            End.OUT_OF_PIDS,
        ),
        (dataclasses.replace(SMALL, timeout_seconds=1), "sleep 30", End.TIMED_OUT),
    ],
)
def test_limits_hold_even_if_late(stand: DegradedStand, limits: object, script: str, end: End) -> None:
    played = play(stand.executor, sh(script), limits=limits)
    assert played.end is end, played.text
    assert played.reason.endswith(".")


def test_no_network_is_no_network(stand: DegradedStand) -> None:
    assert play(stand.executor, sh("ls /sys/class/net | grep -v lo; exit 0")).text.split() == []


def test_cancel_ends_processes_that_ignore_signals(stand: DegradedStand) -> None:
    given = plan(stand.executor, sh("trap '' TERM; (setsid sleep 306) & echo up; while true; do sleep 307; done"))
    with running(stand.executor, given) as (run, events):
        run.cancel()
        list(events)
        stand.executor.cleanup(given.execution_id)
        assert not any("sleep" in p for p in processes_of(64000))
        assert list(stand.builds.iterdir()) == []


def test_a_killed_keeper_takes_helper_and_builds_along(stand: DegradedStand) -> None:
    given = plan(stand.executor, sh("(setsid sleep 308) & echo up; sleep 309"))
    with running(stand.executor, given):
        stand.end(signal.SIGKILL)
        wait_until(lambda: not processes_of(64000), "the kernel ended its namespace")


def test_a_keeper_that_is_asked_to_end_leaves_no_process_and_no_directory(stand: DegradedStand) -> None:
    given = plan(stand.executor, sh("trap '' TERM; (setsid sleep 310) & echo up; while true; do sleep 311; done"))
    with running(stand.executor, given):
        stand.end(signal.SIGTERM)
        assert processes_of(64000) == []
        assert list(stand.builds.iterdir()) == []


def test_a_helper_that_hears_nothing_is_killed_with_all_it_started(stand: DegradedStand) -> None:
    given = plan(stand.executor, sh("(setsid sleep 312) & echo up; sleep 313"))
    with running(stand.executor, given):
        assert stand.process is not None
        (starter,) = psutil.Process(stand.process.pid).children()
        (helper,) = starter.children()
        helper.suspend()
        stand.end(signal.SIGTERM)
        assert processes_of(64000) == []


@pytest.mark.parametrize("asked", ["none", "registry", "open"])
def test_whatever_network_is_asked_for_none_is_in_force_and_told_before_and_after(
    stand: DegradedStand, asked: Network
) -> None:
    script = "import socket; print(sorted(n for _, n in socket.if_nameindex()))"
    given = plan(stand.executor, ["python3", "-c", script], network=asked)
    run = stand.executor.start(given)
    text = b"".join(getattr(e, "data", b"") for e in run.events()).decode()
    stand.executor.cleanup(given.execution_id)
    assert text.strip() == "['lo']"
    assert run.isolation.network == "none"
    foretold = stand.executor.expected(asked)
    assert (foretold.level, foretold.network, set(foretold.missing)) == ("degraded", "none", set(run.isolation.missing))
    log = sentences(foretold, asked)
    assert log[0].startswith("DEGRADED ISOLATION")
    assert any(f"not {asked}" in line for line in log) is (asked != "none")


def test_where_the_jail_is_demanded_a_degraded_helper_gets_no_build(stand: DegradedStand) -> None:
    strict = type(stand.executor)(stand.socket, need_jail=True)
    with pytest.raises(ExecutorUnavailable, match="IMAGEFACTORY_BUILD_ISOLATION=jail"):
        strict.expected("none")
    given = plan(strict, sh("touch /build/ran; sleep 314"))
    with pytest.raises(ExecutorUnavailable, match="IMAGEFACTORY_BUILD_ISOLATION=jail"):
        strict.start(given)
    wait_until(lambda: not any("sleep" in p for p in processes_of(64000)), "the run ended with its client")
    wait_until(lambda: stand.executor.leftovers() == [], "its directory is gone")


def test_in_the_jail_the_same_demand_is_met() -> None:
    stand = Stand()
    try:
        stand.start()
        strict = LocalExecutor(stand.socket, need_jail=True)
        assert strict.expected("open") == Isolation("jail", "crun", mode(), "open", 0)
        assert play(strict, ["true"]).end is End.SUCCEEDED
    finally:
        stand.remove()


def test_a_degraded_helper_refuses_to_run_as_root() -> None:
    with pytest.raises(DegradedRefused, match="never run as root"):
        degraded_helper(socket=Path("/tmp/x"), builds=Path("/tmp/y"))  # noqa: S108 - nothing is made there
    argv = [sys.executable, "-m", "imagefactory.executors.local.helper", "--degraded", "--client-uid", "0"]
    done = subprocess.run(
        [*argv, "--socket", "/tmp/x", "--builds", "/tmp/y"],  # noqa: S108 - nothing is made there
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(SOURCE)},
        capture_output=True,
        text=True,
        timeout=10,
        check=False,
    )
    assert done.returncode == 2
    assert "never run as root" in done.stderr
