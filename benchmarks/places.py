"""Where measurements happen: a durable database of our own with Django on it, people, and the factory's processes."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import yaml

from imagefactory.adapters.postgres import embedded
from imagefactory.adapters.postgres.temporary import temporary

if TYPE_CHECKING:
    from imagefactory.kernel.actor import Actor

PASSWORD = "correct horse battery"


class NotHere(Exception):
    """This machine lacks what a part needs. Message is a sentence."""


def until(holds: Callable[[], Any], what: str, seconds: float = 60.0, every: float = 0.02) -> Any:
    """Return the first true answer.

    Raises TimeoutError when there is none in time.
    """
    deadline = time.monotonic() + seconds
    while not (found := holds()):
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {seconds:.0f} s for {what}")
        time.sleep(every)
    return found


def free_port() -> int:
    """Return a port of the loopback that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


@dataclasses.dataclass
class Ground:
    """A database with its tables, a data directory, and what child processes need to know of both."""

    server: Path
    data: Path
    port: int

    @property
    def owner(self) -> str:
        """The address of the tables' owner, for filling them."""
        return embedded.embedded_url(self.server, "owner")

    def child(self, *argv: str, **more: str) -> contextlib.AbstractContextManager[subprocess.Popen[bytes]]:
        """Run a Python program with this ground's settings until the block ends."""
        return running([sys.executable, *argv], {**os.environ, **more}, self.data / f"{Path(argv[-1]).name}.log")


@contextlib.contextmanager
def running(argv: list[str], environment: dict[str, str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run a program until the block ends; it also ends when this process is killed."""
    with log.open("ab") as out:
        process = subprocess.Popen(
            ["setpriv", "--pdeathsig", "TERM", *argv], env=environment, stdin=subprocess.DEVNULL, stdout=out, stderr=out
        )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextlib.contextmanager
def ground(**settings: str) -> Iterator[Ground]:
    """Start a database that keeps its promises (fsync on), make the tables, and set Django up in this process.

    Once in a process only: Django reads its settings once.
    """
    data = Path(tempfile.mkdtemp(prefix="d-"))
    with temporary(durable=True) as server:
        found = Ground(server, data, free_port())
        os.environ |= {
            "IMAGEFACTORY_DATA_DIR": str(data),
            "IMAGEFACTORY_DATABASE_URL": embedded.embedded_url(server, "system"),
            "IMAGEFACTORY_PUBLIC_URL": f"http://127.0.0.1:{found.port}",
            "IMAGEFACTORY_BUILD_NETWORK": "none",
            "DJANGO_SETTINGS_MODULE": "imagefactory.settings.django",
            **settings,
        }
        subprocess.run(
            [sys.executable, "-m", "django", "migrate", "--noinput", "--verbosity", "0"],
            env={**os.environ, "IMAGEFACTORY_DATABASE_URL": found.owner}, check=True,
        )  # fmt: skip
        import django

        django.setup()
        from django.db import connections

        try:
            yield found
        finally:
            connections.close_all()


@dataclasses.dataclass(frozen=True)
class Team:
    """A tenant with one project and its owner."""

    tenant_id: uuid.UUID
    slug: str
    user_id: uuid.UUID
    project_id: uuid.UUID
    project_slug: str

    def actor(self) -> Actor:
        from imagefactory.domain.identity.selectors import actor_for_user

        return actor_for_user(self.user_id, self.slug)


def team(name: str) -> Team:
    """Sign up an owner with a tenant and one project, through the services."""
    from imagefactory.domain.identity.selectors import actor_for_user
    from imagefactory.domain.identity.services import sign_up
    from imagefactory.domain.projects.services import create_project
    from imagefactory.kernel.actor import Actor, ActorKind

    who = Actor(ActorKind.SYSTEM, "benchmark", address=name)
    made = sign_up(
        who, name=name, email=f"{name}@example.com", password=PASSWORD, tenant_name=name, tenant_slug=name
    )  # fmt: skip
    project = create_project(actor_for_user(made.user_id), name="Checkout")
    return Team(made.tenant_id, made.tenant_slug, made.user_id, project.id, project.slug)


def need_root() -> None:
    """Raise NotHere without root or buildah: there is no jail without them."""
    if os.geteuid() != 0:
        raise NotHere("The runner helper needs root; run this part with sudo.")
    for program in ("/usr/bin/buildah", "/usr/bin/crun"):
        if not Path(program).exists():
            raise NotHere(f"{program} is missing: apt-get install buildah crun")


@contextlib.contextmanager
def helper(place: Ground) -> Iterator[Path]:
    """Run the runner helper; yields its socket, which IMAGEFACTORY_HELPER_SOCKET then names too."""
    from imagefactory.executors.local.executor import LocalExecutor

    need_root()
    sock, builds = place.data / "helper.sock", place.data / "builds"
    argv = ["--socket", str(sock), "--builds", str(builds), "--client-uid", "0", "--port", str(place.port)]
    os.environ["IMAGEFACTORY_HELPER_SOCKET"] = str(sock)
    with place.child("-m", "imagefactory.executors.local.helper", *argv):
        until(sock.exists, "the helper's socket")
        until(lambda: LocalExecutor(sock).available(), "the helper")
        yield sock


@contextlib.contextmanager
def registry(place: Ground) -> Iterator[None]:
    """Run a registry without tokens at the public address, so that plain programs can push too."""
    config = {
        "version": 0.1, "log": {"level": "error", "accesslog": {"disabled": True}},
        "storage": {"filesystem": {"rootdirectory": str(place.data / "registry")}},
        "http": {"addr": f"127.0.0.1:{place.port}", "secret": "benchmark"},
    }  # fmt: skip
    path = place.data / "registry.yml"
    path.write_text(yaml.safe_dump(config))

    def answers() -> bool:
        with contextlib.suppress(httpx.HTTPError):
            return httpx.get(f"http://127.0.0.1:{place.port}/v2/", trust_env=False).status_code == 200
        return False

    with running(["docker-registry", "serve", str(path)], dict(os.environ), place.data / "registry.log"):
        until(answers, "the registry")
        yield


@dataclasses.dataclass(frozen=True)
class Dispatcher:
    """A dispatcher that runs."""

    pid: int
    _marks: Path

    def first_processes(self) -> dict[str, float]:
        """Return execution id -> seconds since 1970 at which its first process ran."""
        rows = [line.split() for line in self._marks.read_text().splitlines()]
        return {name: int(at) / 1e9 for name, at in rows}


@contextlib.contextmanager
def dispatcher(place: Ground, executor: str, *, publish: bool = True, slots: int = 2) -> Iterator[Dispatcher]:
    """Run the dispatcher as a process of its own, which notes each build's first process.

    With `publish` off the last stage does nothing, to show what the rest costs.
    """
    from imagefactory.domain.builds.models import Worker

    marks, name = place.data / f"marks-{uuid.uuid4().hex[:8]}", f"bench-{uuid.uuid4().hex[:6]}"
    marks.touch()
    more = {
        "IMAGEFACTORY_EXECUTOR": executor, "IMAGEFACTORY_WORKER_SLOTS": str(slots), "IMAGEFACTORY_WORKER_NAME": name,
        "IMAGEFACTORY_LOG_LEVEL": "warning", "BENCHMARK_MARKS": str(marks), "BENCHMARK_PUBLISH": "yes" if publish else "",
    }  # fmt: skip
    with place.child("-m", "benchmarks.marked_dispatcher", **more) as process:
        until(lambda: Worker.objects.filter(name=name).exists() or process.poll() is not None, "the dispatcher")
        time.sleep(0.5)  # its listener connects after the first report
        if process.poll() is not None:
            raise RuntimeError((place.data / "benchmarks.marked_dispatcher.log").read_text()[-2000:])
        yield Dispatcher(process.pid, marks)
