"""A real registry with the factory's tokens, a real runner helper, and a dispatcher host in this process."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from django.db import connections

from imagefactory.adapters.logs.files import FileLogStore
from imagefactory.adapters.logs.notify import LogNotifier
from imagefactory.adapters.registries.events import PATH
from imagefactory.adapters.registries.tokens import ISSUER, SERVICE, ensure_keys
from imagefactory.entry.dispatcher.host import Host
from imagefactory.entry.http.registry_events import upload_secret
from imagefactory.entry.up.registry import notifications
from imagefactory.executors.base import Executor
from imagefactory.executors.fake import FakeExecutor
from imagefactory.executors.local.executor import LocalExecutor
from imagefactory.kernel import env, pg


def wait_for(what: Callable[[], Any], seconds: float = 60.0) -> Any:
    """Return the first true answer.

    Raises AssertionError when there is none in time.
    """
    deadline = time.monotonic() + seconds
    while not (found := what()):
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.02)
    return found


@pytest.fixture
def registry(live_server: Any, tmp_path: Path) -> Iterator[str]:
    """Run a registry at the public address that asks the live server for tokens; yields its address."""
    settings = env.get()
    _, cert = ensure_keys(settings.data_dir / "secrets")
    told = notifications(upload_secret())
    told["endpoints"][0] |= {"url": f"{live_server.url}{PATH}", "backoff": "200ms"}
    config = {
        "version": 0.1,
        "log": {"level": "error", "accesslog": {"disabled": True}},
        "storage": {"filesystem": {"rootdirectory": str(tmp_path / "registry")}, "delete": {"enabled": True}},
        "notifications": told,
        "http": {"addr": settings.host, "secret": "test"},
        "auth": {
            "token": {
                "realm": f"{live_server.url}/registry/token", "service": SERVICE, "issuer": ISSUER,
                "rootcertbundle": str(cert),
            }
        },
    }  # fmt: skip
    path = tmp_path / "registry.yml"
    path.write_text(yaml.safe_dump(config))
    with subprocess.Popen(
        ["docker-registry", "serve", str(path)], stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL
    ) as server:
        try:
            wait_for(lambda: _answers(settings.public_url))
            yield settings.public_url
        finally:
            server.kill()


def _answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/v2/").status_code == 401
    except httpx.HTTPError:
        return False


@pytest.fixture
def helper(tmp_path: Path) -> Iterator[LocalExecutor]:
    """Run the runner helper; yields an executor that asks it."""
    if os.geteuid() != 0:
        pytest.skip("the runner helper needs root")
    sock, builds = tmp_path / "helper.sock", tmp_path / "builds"
    argv = ["--socket", str(sock), "--builds", str(builds), "--client-uid", "0"]
    with subprocess.Popen(
        [sys.executable, "-m", "imagefactory.executors.local.helper", *argv], stderr=subprocess.DEVNULL
    ) as server:
        try:
            wait_for(sock.exists)
            yield LocalExecutor(sock)
            assert not [p for p in builds.iterdir() if p.is_mount()]
        finally:
            server.terminate()


@pytest.fixture
def store() -> FileLogStore:
    settings = env.get()
    return FileLogStore(settings.data_dir / "build-logs")


@pytest.fixture
def hosts(store: FileLogStore) -> Iterator[Callable[..., Host]]:
    """Return a function that starts a dispatcher host on a thread, with settings changed; all are stopped at the end."""
    started: list[tuple[Host, threading.Thread]] = []
    notifier = LogNotifier(pg.conninfo())

    def start(executor: Executor, **changes: Any) -> Host:
        settings = env.get().model_copy(update=changes)
        host = Host(f"test-{len(started)}", executor, store, notifier, settings)

        def work() -> None:
            try:
                host.run()
            finally:
                connections.close_all()

        thread = threading.Thread(target=work, daemon=True)
        thread.start()
        started.append((host, thread))
        return host

    yield start
    for host, _ in started:
        host.stop()
    for _, thread in started:
        thread.join(30)
    notifier.close()


@pytest.fixture
def fake(tmp_path: Path) -> FakeExecutor:
    return FakeExecutor(tmp_path / "fake")
