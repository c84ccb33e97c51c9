"""What fault tests are made of: dispatchers that are processes of their own, a build that ticks, and what must hold after."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import uuid
from pathlib import Path
from typing import Any

import pytest
from django.db import connection

from imagefactory.adapters.logs.base import Line
from imagefactory.adapters.logs.files import FileLogStore
from imagefactory.adapters.postgres.embedded import embedded_url
from imagefactory.domain.builds import selectors
from imagefactory.domain.builds.services.submit import submit_build
from imagefactory.kernel import env
from imagefactory.kernel.outbox.models import OutboxEvent
from tests import environment
from tests.conftest import World
from tests.dispatcher.waiting import wait_for
from tests.executors.stand import SOURCE, Stand, needs_buildah, needs_root

FINISHED = {"succeeded", "failed", "cancelled"}
MARKS = [
    pytest.mark.real, pytest.mark.committed, pytest.mark.django_db(transaction=True), needs_root, needs_buildah,
]  # fmt: skip
_RUN = "from imagefactory.entry.dispatcher.run import main; raise SystemExit(main())"


class DispatcherProcess:
    """A real dispatcher: a process of its own on the test's database, helper and data directory."""

    def __init__(self, name: str, stand: Stand, place: Path, **settings: str) -> None:
        self.name = name
        database = str(connection.settings_dict["NAME"])
        self._env = {
            **os.environ,
            "PYTHONPATH": str(SOURCE),
            "IMAGEFACTORY_TEST_DATABASE_URL": embedded_url(environment.database(), "owner", database),
            "IMAGEFACTORY_HELPER_SOCKET": str(stand.socket),
            "IMAGEFACTORY_WORKER_NAME": name,
            **{f"IMAGEFACTORY_{key.upper()}": value for key, value in settings.items()},
        }
        self._log = place / f"{name}.log"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> DispatcherProcess:
        """Start it and wait until it has reported itself."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen([sys.executable, "-c", _RUN], env=self._env, stdout=log, stderr=log)
        wait_for(lambda: self.name in {w["name"] for w in selectors.list_workers()}, 30)
        return self

    def kill(self) -> None:
        """End it as a power cut would."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """Ask it to end; what does not end in time is killed."""
        self._end(signal.SIGTERM)

    def _end(self, number: signal.Signals) -> None:
        if self._process is None:
            return
        self._process.send_signal(number)
        try:
            self._process.wait(40)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(10)
        self._process = None

    def said(self) -> str:
        return self._log.read_text()


def ticking(ticks: int) -> dict[str, Any]:
    """Return a manifest whose build says `tick 1` to `tick <ticks>`, ten a second, from an uploaded busybox."""
    script = f"i=1; while [ $i -le {ticks} ]; do echo tick $i; i=$((i+1)); /bin/busybox sleep 0.1; done"
    text = f'FROM scratch\nCOPY busybox /bin/busybox\nRUN ["/bin/busybox", "sh", "-c", "{script}"]\n'
    return {"dockerfile": {"inline": text}}


def submit_ticking(world: World, ticks: int) -> uuid.UUID:
    """Upload busybox as the source and submit the ticking build as the tenant's owner."""
    import io
    import tarfile

    from imagefactory.domain.projects.services import upload_archive

    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        tar.add("/bin/busybox", "busybox")
    packed.seek(0)
    owner = world.actor("owner")
    upload = upload_archive(owner, world.project.id, filename="source.tar.gz", content=packed)
    source = {"kind": "archive", "blob": upload.digest, "filename": upload.filename}
    return submit_build(owner, world.project.id, ticking(ticks) | {"source": source, "tags": ["v1", "v2"]}).id


def store() -> FileLogStore:
    return FileLogStore(env.get().data_dir / "build-logs")


def attempt(world: World, build: uuid.UUID, number: int) -> selectors.ExecutionView | None:
    """Return an attempt, or None while it has not begun."""
    attempts = {n for n, _ in selectors.list_attempts(world.actor("owner"), build)}
    return selectors.get_execution(world.actor("owner"), build, number) if number in attempts else None


def log_of(execution: selectors.ExecutionView) -> list[Line]:
    """Return the whole log, after checking that its numbers run from 1 without a hole."""
    lines = store().read(str(execution.id), 0, 10_000)
    assert [line.number for line in lines] == list(range(1, len(lines) + 1))
    return lines


def ticks_in(lines: list[Line]) -> list[int]:
    return [int(line.text.removeprefix("tick ")) for line in lines if line.text.startswith("tick ")]


def until_tick(world: World, build: uuid.UUID, number: int, tick: int) -> selectors.ExecutionView:
    """Wait until this attempt has said this tick, and return it."""

    def look() -> selectors.ExecutionView | None:
        found = attempt(world, build, number)
        return found if found and tick in ticks_in(log_of(found)) else None

    execution: selectors.ExecutionView = wait_for(look, 60)
    return execution


def ended(world: World, build: uuid.UUID, seconds: float = 90) -> selectors.BuildDetail:
    """Wait for the build's end and return it."""

    def look() -> selectors.BuildDetail | None:
        found = selectors.get_build(world.actor("owner"), build)
        return found if found.status in FINISHED else None

    done: selectors.BuildDetail = wait_for(look, seconds)
    return done


def events_of(build: uuid.UUID) -> list[str]:
    """Return the types of all events of a build, in order."""
    rows = OutboxEvent.objects.filter(correlation_id=str(build)).order_by("seq")
    return list(rows.values_list("type", flat=True))


def finished_once(build: uuid.UUID, event: str) -> None:
    """Check that exactly one end was told, and that the tenant's counter of running builds is back at zero."""
    from imagefactory.domain.builds.models import Build, TenantQueue

    ends = [e for e in events_of(build) if e in {"build.completed", "build.failed", "build.cancelled"}]
    assert ends == [event]
    assert TenantQueue.objects.get(tenant_id=Build.objects.get(id=build).tenant_id).running == 0


def nothing_left(stand: Stand, *executions: selectors.ExecutionView) -> None:
    """Wait until no process, mount, group, loop device or directory of these executions is on the host."""
    uids = {int(e.isolation["uid"]) for e in executions if e.isolation}
    assert uids
    wait_for(lambda: not [trace for uid in uids for trace in stand.traces(uid)], 30)
    assert not list(env.get().run_dir.glob("git-*"))
