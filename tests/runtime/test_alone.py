"""Each process starts alone, as the units in deploy/systemd say and docs/operator.md lists."""

from __future__ import annotations

import configparser
import contextlib
import re
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from imagefactory.entry.up import processes
from tests.runtime.stand import BASE, ROOT, Builder, Factory, needs_root, ordinary_user, wait_for

UNITS = ROOT / "deploy" / "systemd"
PROGRAM = "/opt/imagefactory/bin/imagefactory"
# As systemd orders them: what stands in one row starts at once, and `migrate` is waited for.
FIRST, THEN = ("postgres", "helper"), ("registry", "web", "stream", "worker", "dispatcher", "caddy")


def unit(name: str) -> configparser.SectionProxy:
    """Return the [Service] section of the unit that is documented for a process."""
    own = UNITS / f"imagefactory-{name}.service"
    parser = configparser.RawConfigParser(strict=False)
    parser.optionxform = str  # type: ignore[assignment, method-assign]  # systemd's names have capitals
    parser.read_string((own if own.exists() else UNITS / "imagefactory@.service").read_text())
    return parser["Service"]


def start(factory: Factory, name: str, log: Path) -> subprocess.Popen[bytes]:
    """Start a process by its unit's own line, with the right to new privileges that it has there."""
    service = unit(name)
    words = service["ExecStart"].replace("%i", name).split()
    assert words[:2] == [PROGRAM, "run"]
    strict = ["setpriv", "--no-new-privs"] if service.get("NoNewPrivileges") == "yes" else []
    with (log / f"{name}.log").open("wb") as out:
        return subprocess.Popen(
            [*strict, *factory.command(*words[1:])], env=factory.environment(), cwd="/", stdout=out, stderr=out,
            stdin=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip


def stop(process: subprocess.Popen[bytes], name: str) -> None:
    service = unit(name)
    # KillMode=mixed: the first process alone is asked.
    assert service["KillMode"] == "mixed"
    process.send_signal(getattr(signal, service.get("KillSignal", "SIGTERM")))
    process.wait(int(service["TimeoutStopSec"]))


def group(process: subprocess.Popen[bytes]) -> list[psutil.Process]:
    """Return what systemd would find in the unit's control group."""
    first = psutil.Process(process.pid)
    return [first, *first.children(recursive=True)]


@contextlib.contextmanager
def all_alone(factory: Factory, log: Path) -> Iterator[dict[str, subprocess.Popen[bytes]]]:
    """Run every process alone; stop them the other way round."""
    running: dict[str, subprocess.Popen[bytes]] = {}
    try:
        for name in FIRST:
            running[name] = start(factory, name, log)
        migrated = start(factory, "migrate", log)
        assert migrated.wait(120) == 0, (log / "migrate.log").read_text()
        for name in THEN:
            running[name] = start(factory, name, log)
        wait_for(factory.answers)
        yield running
        for name in reversed((*FIRST, *THEN)):
            stop(running.pop(name), name)
    finally:
        for process in running.values():
            process.kill()
            process.wait()
        left = factory.left()
    assert left == []


@pytest.mark.real
@needs_root
def test_every_process_starts_alone_as_root_and_a_build_runs(tmp_path: Path) -> None:
    factory = Factory()
    with all_alone(factory, tmp_path) as running:
        owners = {name: psutil.Process(process.pid).username() for name, process in running.items()}
        assert owners.pop("helper") == "root"
        assert set(owners.values()) == {"imagefactory"}
        builder = Builder(factory)
        build = builder.build(BASE + "RUN echo hi > /greeting\n")
        assert builder.ended(build)["status"] == "succeeded", builder.log(build)
        assert builder.execution(build)["isolation"]["level"] == "jail"
        # One that is killed starts again beside the others, as Restart=always would.
        for process in group(running["web"]):
            process.kill()
        running["web"].wait()
        running["web"] = start(factory, "web", tmp_path)
        wait_for(factory.answers)
    factory.remove()


@pytest.mark.real
@needs_root
def test_every_process_starts_alone_as_an_ordinary_user(tmp_path: Path) -> None:
    with ordinary_user(ranges=True) as name:
        factory = Factory(name)
        with all_alone(factory, tmp_path):
            builder = Builder(factory)
            build = builder.build("FROM scratch\nCOPY busybox /bin/busybox\n")
            assert builder.ended(build)["status"] == "succeeded", builder.log(build)
            assert builder.execution(build)["isolation"]["level"] == "degraded"
            assert "DEGRADED" in (tmp_path / "helper.log").read_text()
        factory.remove()


def test_the_units_cover_every_process_and_the_guide_names_every_unit() -> None:
    assert set(FIRST + THEN) == set(processes.names())
    guide = (ROOT / "docs" / "operator.md").read_text()
    for path in UNITS.iterdir():
        assert path.name in guide
    enable = re.search(r"imagefactory@\{([a-z,]+)\}", guide)
    assert enable
    assert tuple(enable[1].split(",")) == THEN


def test_a_process_that_there_is_not_is_refused_with_the_names_that_there_are() -> None:
    factory = Factory()
    said = factory("run", "webb")
    assert said.returncode == 1
    assert "Cannot run webb: there is no process of that name; there are postgres, registry" in said.stderr
    assert list(factory.data.iterdir()) == []
    factory.remove()


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd-analyze is missing: apt-get install systemd")
def test_systemd_finds_no_fault_in_the_units(tmp_path: Path) -> None:
    for path in UNITS.iterdir():
        # The program is not installed here; what is said of it is not asked.
        (tmp_path / path.name).write_text(path.read_text().replace(PROGRAM, "/bin/true"))
    names = [p.name.replace("@.", "@web.") for p in UNITS.iterdir()]
    said = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", "--recursive-errors=yes", *names],
        env={"SYSTEMD_UNIT_PATH": f"{tmp_path}:", "PATH": "/usr/bin:/bin"}, capture_output=True, text=True, check=False,
        timeout=60,
    )  # fmt: skip
    ours = [line for line in said.stderr.splitlines() if "imagefactory" in line]
    assert (ours, said.returncode) == ([], 0), said.stderr
