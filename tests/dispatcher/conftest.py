"""A real registry with the factory's tokens, a real runner helper, and a dispatcher host in this process."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.db import connections

from imagefactory.adapters.logs.files import FileLogStore
from imagefactory.adapters.logs.notify import LogNotifier
from imagefactory.entry.dispatcher.host import Host
from imagefactory.executors.base import Executor
from imagefactory.executors.fake import FakeExecutor
from imagefactory.executors.local.executor import LocalExecutor
from imagefactory.kernel import env, pg
from tests.dispatcher.fault_parts import DispatcherProcess
from tests.dispatcher.registry_server import RegistryServer
from tests.dispatcher.waiting import wait_for
from tests.executors.stand import Stand


@pytest.fixture
def registry_server(live_server: Any, tmp_path: Path) -> Iterator[RegistryServer]:
    """Run a registry at the public address that asks the live server for tokens."""
    server = RegistryServer(tmp_path, live_server.url)
    server.start()
    yield server
    server.kill()


@pytest.fixture
def registry(registry_server: RegistryServer) -> str:
    """Run a registry and return its address."""
    return registry_server.url


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


@pytest.fixture
def stand() -> Iterator[Stand]:
    place = Stand()
    try:
        place.start()
        yield place
    finally:
        place.remove()


@pytest.fixture
def dispatchers(stand: Stand, tmp_path: Path) -> Iterator[Callable[..., DispatcherProcess]]:
    """Return a function that starts a dispatcher process; all are stopped at the end."""
    started: list[DispatcherProcess] = []

    def start(name: str, **settings: str) -> DispatcherProcess:
        started.append(DispatcherProcess(name, stand, tmp_path, **settings))
        return started[-1].start()

    yield start
    for each in started:
        each.stop()
