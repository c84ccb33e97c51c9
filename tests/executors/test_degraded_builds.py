"""Without root fewer walls stand; those that do are tried here, and the record names the others."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from imagefactory.executors.base import End, Finished
from imagefactory.executors.local.degraded import DegradedRefused, degraded_helper
from tests.executors.stand import (
    BUD,
    PUSH,
    SMALL,
    SOURCE,
    DegradedStand,
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


def test_a_killed_degraded_helper_takes_its_builds_along(stand: DegradedStand) -> None:
    given = plan(stand.executor, sh("(setsid sleep 308) & echo up; sleep 309"))
    with running(stand.executor, given):
        stand.end()
        wait_until(lambda: not any("sleep" in p for p in processes_of(64000)), "the kernel ended its namespace")


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
