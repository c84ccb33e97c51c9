"""The whole factory on this machine: started, looked at, hit with kill -9, and stopped, through its command
line.
"""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Iterator

import psutil
import pytest

from tests.runtime.stand import Factory, up, wait_for

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def factory() -> Iterator[Factory]:
    made = Factory()
    with up(made):
        yield made


def test_up_ends_with_an_answer_through_the_front_door(factory: Factory) -> None:
    assert factory.answers()


def test_a_second_up_says_that_it_runs_and_changes_nothing(factory: Factory) -> None:
    before = factory.pids()
    said = factory("up")
    assert (said.returncode, "Already running" in said.stdout) == (0, True)
    assert factory.pids() == before


def test_status_shows_every_process_running(factory: Factory) -> None:
    said = factory("status")
    assert said.returncode == 0, said.stdout + said.stderr
    assert set(factory.pids()) >= {"postgres", "registry", "web", "stream", "worker", "dispatcher", "caddy"}


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root: only then are there two users to tell apart")
def test_only_the_runner_helper_runs_as_root(factory: Factory) -> None:
    owners = {name: psutil.Process(pid).username() for name, pid in factory.pids().items()}
    assert owners.pop("helper") == "root"
    assert set(owners.values()) == {"imagefactory"}


def test_a_second_factory_on_the_same_port_is_told_who_has_it(factory: Factory) -> None:
    other = Factory()
    other.port = factory.port
    said = other("up")
    shutil.rmtree(other.data)
    assert said.returncode == 1
    assert f"Port {factory.port} on 127.0.0.1 is in use" in said.stderr
    assert "IMAGEFACTORY_PUBLIC_URL" in said.stderr


@pytest.mark.parametrize("name", ["web", "postgres", "registry", "stream", "worker", "dispatcher", "caddy"])
def test_a_killed_process_is_back_within_70_seconds_and_the_factory_answers(factory: Factory, name: str) -> None:
    wait_for(lambda: name in factory.pids())
    killed = factory.pids()[name]
    os.kill(killed, signal.SIGKILL)
    wait_for(lambda: factory.pids().get(name, killed) != killed)
    wait_for(factory.answers)


def test_no_password_or_key_is_in_any_argument_or_log(factory: Factory) -> None:
    secrets = [line.rsplit(":", 1)[1] for line in (factory.data / "secrets/pgpass").read_text().splitlines()]
    secrets.append((factory.data / "secrets/django.key").read_text().strip())
    texts = factory.left()
    texts += [path.read_text(errors="replace") for path in (factory.data / "process-logs").iterdir()]
    assert not [word for word in secrets if any(word in text for text in texts)]


def test_a_killed_supervisor_leaves_nothing_that_up_does_not_take_over(factory: Factory) -> None:
    boss = int((factory.data / "supervisor/supervisord.pid").read_text())
    os.kill(boss, signal.SIGKILL)
    wait_for(lambda: not psutil.pid_exists(boss))
    said = factory("status")
    assert said.returncode == 3
    assert "A killed supervisor left" in said.stderr
    said = factory("up")
    assert said.returncode == 0, said.stderr
    wait_for(factory.answers)
    commands = [line for line in factory.left() if "web.sock" in line and "--interface" in line]
    # One parent and its two workers: the old ones are gone.
    assert len(commands) == 3


def test_a_data_directory_of_a_newer_factory_is_refused() -> None:
    newer = Factory()
    (newer.data / "VERSION").write_text("999\n")
    said = newer("up")
    shutil.rmtree(newer.data)
    assert said.returncode == 1
    assert "was written by a newer factory" in said.stderr


def test_down_and_status_of_a_factory_that_is_not_there_say_so() -> None:
    none = Factory()
    assert none("status").returncode == 3
    said = none("down")
    shutil.rmtree(none.data)
    assert (said.returncode, "Nothing was running" in said.stdout) == (0, True)
