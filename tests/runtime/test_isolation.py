"""Which isolation builds get: `up` as an ordinary user without sudo, as root, and where the jail is demanded."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.runtime.stand import BASE, Builder, Factory, needs_root, ordinary_user, up, wait_for

pytestmark = [pytest.mark.real, needs_root]
SAID = "DEGRADED"


@pytest.fixture(scope="module")
def user() -> Iterator[str]:
    """A user with subordinate ids, who may not use sudo."""
    with ordinary_user(ranges=True) as name:
        yield name


@pytest.fixture(scope="module")
def told() -> dict[str, str]:
    """What `up` said, by the name of the fixture that started it."""
    return {}


@pytest.fixture(scope="module")
def degraded(user: str, told: dict[str, str]) -> Iterator[Factory]:
    """A factory that an ordinary user started with no setting of the isolation."""
    factory = Factory(user)
    with up(factory) as said:
        told["up"] = said.stderr
        yield factory


@pytest.fixture(scope="module")
def builder(degraded: Factory) -> Builder:
    return Builder(degraded)


def processes_of(user: str) -> dict[int, str]:
    """Return the processes of a user and of the subordinate ids."""
    first = next(int(line.split(":")[1]) for line in Path("/etc/subuid").read_text().splitlines() if user in line)
    own, found = pwd.getpwnam(user).pw_uid, {}
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if process.uids().real == own or first <= process.uids().real < first + 65_536:
                found[process.pid] = " ".join(process.cmdline())
    return found


def in_builds(user: str) -> list[str]:
    return [
        line for line in processes_of(user).values() if "jail.py" in line or "sleep 47" in line or "buildah" in line
    ]


def test_up_status_and_doctor_say_that_builds_are_degraded_and_why(degraded: Factory, told: dict[str, str]) -> None:
    for text in (told["up"], degraded("status").stdout, degraded("doctor").stdout):
        assert SAID in text
        assert "no boundary against hostile code" in text
    assert "this user is not root, and sudo" in told["up"]
    assert "IMAGEFACTORY_BUILD_ISOLATION=jail" in told["up"]


def test_nothing_of_it_is_root(degraded: Factory, user: str) -> None:
    assert {psutil.Process(pid).username() for pid in degraded.pids().values()} == {user}


def test_a_build_ends_as_an_image_and_says_what_was_missing(builder: Builder) -> None:
    build = builder.build(BASE + "RUN id -u; ls /sys/class/net; echo hi > /greeting\n", network="open")
    done = builder.ended(build)
    log = builder.log(build)
    assert done["status"] == "succeeded", log
    assert done["image"]["digest"].startswith("sha256:")
    assert SAID in log[0]
    assert "no boundary" in log[0]
    assert any("Network none is in force, not open" in line for line in log[:3])
    walls = builder.execution(build)["isolation"]
    assert (walls["level"], walls["network"], walls["cgroup"]) == ("degraded", "none", "none")
    assert {"uid of its own", "control group", "network other than none"} <= set(walls["missing"])


def test_no_service_of_this_machine_is_in_reach_whatever_network_is_asked_for(builder: Builder) -> None:
    build = builder.build(BASE + "RUN echo sockets $(cat /proc/net/tcp | wc -l) $(ls /sys/class/net)\n", network="open")
    assert builder.ended(build)["status"] == "succeeded"
    # The table's headline alone: no socket of this machine, whose front door listens.
    assert "sockets 1 lo" in builder.log(build)
    assert len(Path("/proc/net/tcp").read_text().splitlines()) > 1


def _sleeping(builder: Builder, user: str, seconds: int) -> str:
    step = f"RUN trap '' TERM INT HUP; (setsid sleep {seconds} &); sleep {seconds}; true\n"
    build = builder.build(BASE + step)
    wait_for(lambda: any(line == f"sleep {seconds}" for line in processes_of(user).values()))
    return build


def test_cancel_ends_every_process_of_a_build_that_ignores_signals(builder: Builder, user: str) -> None:
    build = _sleeping(builder, user, 4711)
    builder.cancel(build)
    assert builder.ended(build)["status"] == "cancelled"
    wait_for(lambda: not in_builds(user))


@pytest.mark.parametrize("victim", ["keeper", "unshare", "helper"])
def test_whatever_part_of_the_helper_is_killed_nothing_of_a_build_outlives_it_and_it_is_back(
    degraded: Factory, builder: Builder, user: str, victim: str
) -> None:
    build = _sleeping(builder, user, 4712)
    before = processes_of(user)
    words = {"keeper": "local.keeper", "unshare": "unshare --user", "helper": "-m imagefactory.executors.local.helper"}
    pids = [
        pid
        for pid, line in before.items()
        if words[victim] in line and (victim != "helper" or not line.startswith("unshare"))
    ]
    (pid,) = pids
    sleeping = [pid for pid, line in before.items() if line == "sleep 4712"]
    os.kill(pid, signal.SIGKILL)
    wait_for(lambda: not any(psutil.pid_exists(one) for one in sleeping))
    wait_for(lambda: any(words["helper"] in line for line in processes_of(user).values()))
    # The build goes back to the queue, and a new attempt of it runs in what is back.
    wait_for(lambda: any(line == "sleep 4712" for line in processes_of(user).values()))
    builder.cancel(build)
    assert builder.ended(build)["status"] == "cancelled"
    wait_for(lambda: not in_builds(user))
    assert degraded.answers()


def test_no_dead_process_waits_for_the_helper_after_builds_that_were_cut_off(degraded: Factory) -> None:
    (helper,) = psutil.Process(degraded.pids()["helper"]).children()[0].children()
    wait_for(lambda: not helper.children(recursive=True))


def test_the_jail_is_refused_without_root_and_nothing_is_made(user: str) -> None:
    factory = Factory(user, IMAGEFACTORY_BUILD_ISOLATION="jail")
    said = factory("up")
    assert said.returncode == 1
    assert "IMAGEFACTORY_BUILD_ISOLATION=jail wants builds in the jail" in said.stderr
    assert "Start as root" in said.stderr
    assert not (factory.data / "postgres").exists()
    assert factory.left() == []
    said = factory("run", "helper")
    assert said.returncode == 1
    assert "IMAGEFACTORY_BUILD_ISOLATION=jail" in said.stderr
    factory.remove()


def test_degraded_holds_even_for_root_and_no_build_runs_as_root() -> None:
    factory = Factory(IMAGEFACTORY_BUILD_ISOLATION="degraded")
    with up(factory) as said:
        assert SAID in said.stderr
        assert "IMAGEFACTORY_BUILD_ISOLATION=degraded asks for it" in said.stderr
        helper = psutil.Process(factory.pids()["helper"])
        assert {p.username() for p in (helper, *helper.children(recursive=True))} == {"imagefactory"}
        builder = Builder(factory)
        build = builder.build(BASE + "RUN cat /proc/self/uid_map; echo hi > /greeting\n")
        assert builder.ended(build)["status"] == "succeeded", builder.log(build)
        walls = builder.execution(build)["isolation"]
        assert (walls["level"], walls["uid"]) == ("degraded", pwd.getpwnam("imagefactory").pw_uid)


def test_the_same_data_directory_goes_from_degraded_to_jail_and_back() -> None:
    factory = Factory()
    try:
        for setting, level in (("degraded", "degraded"), ("jail", "jail"), ("degraded", "degraded")):
            factory.settings["IMAGEFACTORY_BUILD_ISOLATION"] = setting
            said = factory("up")
            assert said.returncode == 0, said.stderr
            builder = Builder(factory)
            build = builder.build("FROM scratch\nCOPY busybox /bin/busybox\n")
            assert builder.ended(build)["status"] == "succeeded", builder.log(build)
            assert builder.execution(build)["isolation"]["level"] == level
            (factory.data / "builds" / "feedfeedfeedfeed").mkdir()  # as a killed helper would leave it
            assert factory("down").returncode == 0
    finally:
        factory("down")
        factory.remove()


def test_a_user_without_subordinate_ids_is_told_the_command_and_builds_all_the_same() -> None:
    with ordinary_user(ranges=False) as name, up(Factory(name)) as said:
        assert f"user {name} has no subordinate ids either" in said.stderr
        assert "usermod --add-subuids" in said.stderr


@pytest.mark.skipif(not shutil.which("sudo"), reason="sudo is not installed: apt-get install sudo")
def test_sudo_without_a_question_gives_the_jail_and_its_loss_is_told() -> None:
    with ordinary_user(ranges=True) as name:
        rule = Path("/etc/sudoers.d") / name
        rule.write_text(f"{name} ALL=(root) NOPASSWD: /usr/bin/env -i *\n")
        rule.chmod(0o440)
        factory = Factory(name, IMAGEFACTORY_BUILD_ISOLATION="auto")
        try:
            said = factory("up")
            assert said.returncode == 0, said.stderr
            assert SAID not in said.stderr
            builder = Builder(factory)
            build = builder.build(BASE + "RUN echo hi > /greeting\n")
            assert builder.ended(build)["status"] == "succeeded", builder.log(build)
            assert builder.execution(build)["isolation"]["level"] == "jail"
            assert factory("down").returncode == 0
            rule.unlink()
            said = factory("up")
            assert said.returncode == 0, said.stderr
            assert "sudo asks for a password" in said.stderr
        finally:
            rule.unlink(missing_ok=True)
            stopped = factory("down")
            left = factory.left()
            factory.remove()
        assert stopped.returncode == 0
        assert left == []
