"""A factory of a test's own, started as root or as an ordinary user, and a person who builds in it."""

from __future__ import annotations

import contextlib
import io
import os
import pwd
import secrets
import shutil
import socket
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

ROOT = Path(__file__).resolve().parents[2]
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="makes a user of this machine: run the tests with sudo")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(condition: Callable[[], Any], seconds: float = 70) -> Any:
    """Return the first true answer."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.1)
    return found


@contextlib.contextmanager
def ordinary_user(*, ranges: bool) -> Iterator[str]:
    """Make a user of this machine, with subordinate ids or without, and remove it at the end."""
    name = f"iftest{secrets.token_hex(4)}"
    kind = ["--create-home"] if ranges else ["--system", "--create-home"]
    subprocess.run(["useradd", *kind, "--shell", "/bin/sh", name], check=True, capture_output=True)
    try:
        has = any(line.startswith(f"{name}:") for line in Path("/etc/subuid").read_text().splitlines())
        assert has is ranges, "useradd gives subordinate ids to ordinary users, and none to system users"
        yield name
    finally:
        uid = pwd.getpwnam(name).pw_uid
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                if process.uids().real == uid:
                    process.kill()
        subprocess.run(["userdel", "--remove", "--force", name], check=True, capture_output=True)


class Factory:
    """A factory of its own: data directory, port, and its command line. `user` starts it, if given."""

    def __init__(self, user: str = "", data: Path | None = None, **settings: str) -> None:
        self.place = Path(tempfile.mkdtemp(prefix="ifup-"))
        self.place.chmod(0o711)
        self.user, self.settings = user, settings
        if user:
            shutil.chown(self.place, user, user)
        self.data = data or self.place
        self.port = free_port()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def environment(self, **settings: str) -> dict[str, str]:
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.place),
            "PYTHONPATH": str(ROOT / "src"),
            "COLUMNS": "200",
            "IMAGEFACTORY_DATA_DIR": str(self.data),
            "IMAGEFACTORY_PUBLIC_URL": f"http://localhost:{self.port}",
            **self.settings,
            **settings,
        }

    def command(self, *arguments: str) -> list[str]:
        become = ["setpriv", "--reuid", self.user, "--regid", self.user, "--init-groups"] if self.user else []
        return [*become, sys.executable, "-m", "imagefactory.entry.cli.main", *arguments]

    def __call__(self, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.command(*arguments), env=self.environment(**settings), cwd="/", capture_output=True, text=True,
            check=False, timeout=180,
        )  # fmt: skip

    def pids(self) -> dict[str, int]:
        rows = [line.split() for line in self("status").stdout.splitlines()]
        return {row[0]: int(row[2]) for row in rows if len(row) > 2 and row[1] == "running" and row[2].isdigit()}

    def answers(self) -> bool:
        try:
            return httpx.get(f"{self.url}/healthz", timeout=10).status_code == 200
        except httpx.HTTPError:
            return False

    def left(self) -> list[str]:
        """Return what still runs for this data directory."""
        found = []
        for process in psutil.process_iter():
            try:
                if any(str(self.data) in word for word in process.cmdline()):
                    found.append(" ".join(process.cmdline()))
            except psutil.Error:
                continue
        return found

    def remove(self) -> None:
        shutil.rmtree(self.place)


@contextlib.contextmanager
def up(factory: Factory) -> Iterator[subprocess.CompletedProcess[str]]:
    """Start a factory, yield what `up` said, stop it, and see that nothing of it is left."""
    try:
        said = factory("up")
        assert said.returncode == 0, said.stdout + said.stderr
        yield said
    finally:
        stopped = factory("down")
        left = factory.left()
        factory.remove()
    assert stopped.returncode == 0, stopped.stderr
    assert left == []


class Builder:
    """A person with a project in a running factory, over the API."""

    def __init__(self, factory: Factory) -> None:
        name = f"b{secrets.token_hex(4)}"
        self.http = httpx.Client(base_url=f"{factory.url}/api/v1", timeout=60)
        who = {"name": name, "tenant_name": name, "tenant_slug": name, "email": f"{name}@example.com"}
        tokens = self._call("POST", "/auth/signup", json={**who, "password": secrets.token_urlsafe(16)})
        self.http.headers["Authorization"] = f"Bearer {tokens['access_token']}"
        self.project = self._call("POST", "/projects", json={"name": "Tried"})["slug"]

    def _call(self, method: str, path: str, **more: Any) -> Any:
        answer = self.http.request(method, path, **more)
        assert answer.is_success, f"{method} {path}: {answer.text}"
        return answer.json()

    def build(self, dockerfile: str, **manifest: Any) -> str:
        """Submit a build with busybox in its source, and return its id."""
        files = {"archive": ("source.tar.gz", _packed(dockerfile))}
        made = self._call("POST", f"/projects/{self.project}/uploads", files=files)
        source = {"kind": "archive", "upload_id": made["id"], "dockerfile": "Dockerfile"}
        self._call("PUT", f"/projects/{self.project}/source", json=source)
        body = {"project": self.project, "manifest": {"name": "tried", "tags": ["v1"], **manifest}}
        return str(self._call("POST", "/builds", json=body)["id"])

    def secret(self, name: str, value: str) -> None:
        body = {"name": name, "kind": "build_secret", "secret": value}
        self._call("POST", f"/projects/{self.project}/credentials", json=body)

    def get(self, build: str) -> Any:
        return self._call("GET", f"/builds/{build}")

    def ended(self, build: str) -> Any:
        """Wait for the end, long enough for a busy machine, and return the build."""
        return wait_for(lambda: (b := self.get(build))["status"] in {"succeeded", "failed", "cancelled"} and b, 240)

    def execution(self, build: str) -> Any:
        return self._call("GET", f"/builds/{build}/executions")[-1]

    def log(self, build: str) -> list[str]:
        """Return the text of each line."""
        return [str(line[-1]) for line in self._call("GET", f"/builds/{build}/logs")["lines"]]

    def cancel(self, build: str) -> None:
        self._call("POST", f"/builds/{build}/cancel")


def _packed(dockerfile: str) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as tar:
        tar.add("/bin/busybox", "busybox")
        entry = tarfile.TarInfo("Dockerfile")
        entry.size = len(dockerfile.encode())
        tar.addfile(entry, io.BytesIO(dockerfile.encode()))
    return out.getvalue()


BASE = 'FROM scratch\nCOPY busybox /bin/busybox\nRUN ["/bin/busybox", "--install", "-s", "/bin"]\n'
