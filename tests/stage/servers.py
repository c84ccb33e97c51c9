"""Start and stop the processes of the stage: the commands are those of `imagefactory up`."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import httpx

from imagefactory.entry.up import front_door, processes
from imagefactory.entry.up.site import Site
from imagefactory.kernel import env
from tests.conftest import World

ROOT = Path(__file__).resolve().parents[2]


def wait_for(what: Callable[[], object], why: str, seconds: float = 60) -> None:
    """Raises AssertionError when it does not come true."""
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline, f"waited {seconds:.0f} s for {why}"
        time.sleep(0.05)


class Servers:
    """Web, stream, worker and the front door, on the public address of the tests."""

    def __init__(self, database_url: str) -> None:
        self.site = Site(env.get(), None)
        self.url = self.site.settings.public_url
        self._database_url = database_url
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        for name in ("run", "secrets", "process-logs", "build-logs"):
            (self.site.data / name).mkdir(parents=True, exist_ok=True)
        (self.site.run / "Caddyfile").write_text(front_door.configuration(self.site))
        self._environment = {
            **processes.environment(self.site),
            "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT)]),
            "DJANGO_SETTINGS_MODULE": "tests.stage.settings",
            "IMAGEFACTORY_TEST_INVALID_VARIABLE": "",
            "IMAGEFACTORY_WEB_WORKERS": "1",
        }

    def start(self, name: str) -> None:
        # The addresses that a factory has: the worker sees all tenants, web is bound by their wall.
        role = {"worker": "system"}.get(name, "app")
        environment = {
            **self._environment,
            "IMAGEFACTORY_TEST_DATABASE_URL": self._database_url.replace("//owner@", f"//{role}@"),
        }
        argv = processes.find(Site(env.get().model_copy(update={"web_workers": 1}), None), name).argv
        with (self.site.logs / f"{name}.log").open("ab") as out:
            self._running[name] = subprocess.Popen(
                argv, env=environment, cwd="/", stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                start_new_session=True,
            )  # fmt: skip

    def start_all(self) -> None:
        for name in ("web", "stream", "worker", "caddy"):
            self.start(name)
        wait_for(lambda: self._answers("/healthz") == 200, "the web process")
        wait_for(lambda: self._answers("/live") == 401, "the stream process")

    def _answers(self, path: str) -> int:
        with contextlib.suppress(httpx.HTTPError):
            return httpx.get(f"{self.url}{path}", timeout=10).status_code
        return 0

    def stop(self, name: str, sign: signal.Signals = signal.SIGTERM) -> None:
        process = self._running.pop(name)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, sign)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(15)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(15)

    def stop_all(self) -> None:
        for name in list(self._running):
            self.stop(name)


@dataclasses.dataclass
class Stage:
    """The running processes and who is in their database."""

    servers: Servers
    world: World

    @property
    def parts(self) -> str:
        return f"{self.servers.url}/stage/{self.world.tenant_slug}"
