"""A runner helper of a test's own, plans to run in it, and the search for what a run leaves behind."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import psutil
import pytest

from imagefactory.executors.base import (
    Command,
    Event,
    Executor,
    Exited,
    Finished,
    Limits,
    Output,
    Plan,
    Run,
    Usage,
)
from imagefactory.executors.local.executor import LocalExecutor

SOURCE = Path(__file__).parents[2] / "src"
CLIENT = 65534
SMALL = Limits(cpus=2.0, memory_mib=256, disk_mib=256, pids=200, timeout_seconds=60)
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="The runner helper needs root; run the tests with sudo.")
needs_buildah = pytest.mark.skipif(
    shutil.which("buildah") is None or shutil.which("crun") is None,
    reason="buildah or crun is missing: apt-get install buildah crun",
)


def wait_until(holds: Callable[[], bool], what: str, seconds: float = 15.0) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, f"waited {seconds} s until {what}"
        time.sleep(0.01)


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


class Stand:
    """A directory with a helper on it, which can be killed and started again."""

    def __init__(self) -> None:
        self.place = Path(tempfile.mkdtemp(prefix="ifexec-"))
        self.place.chmod(0o755)
        (self.place / "run").mkdir()
        os.chown(self.place / "run", CLIENT, CLIENT)
        self.socket, self.builds = self.place / "run" / "helper.sock", self.place / "builds"
        self.port = free_port()
        self.process: subprocess.Popen[bytes] | None = None
        self.executor = LocalExecutor(self.socket)

    def start(self) -> None:
        argv = [
            "-m",
            "imagefactory.executors.local.helper",
            "--socket",
            str(self.socket),
            "--builds",
            str(self.builds),
        ]
        self.process = subprocess.Popen(
            [sys.executable, *argv, "--client-uid", str(CLIENT), "--port", str(self.port)],
            env={"PATH": os.environ["PATH"], "PYTHONPATH": str(SOURCE)},
            stderr=subprocess.DEVNULL,
        )
        wait_until(self._answers, "the helper answers")

    def _answers(self) -> bool:
        with contextlib.suppress(Exception):
            return bool(self.executor.available())
        return False

    def end(self, number: int = signal.SIGTERM) -> None:
        if self.process:
            self.process.send_signal(number)
            self.process.wait(30)
            self.process = None

    def traces(self, uid: int) -> list[str]:
        """Return what is left of the builds here, and of the slot that has this uid."""
        slot = (uid - 900_000_000) // 70_000
        found = [
            f"mount {line.split()[1]}"
            for line in Path("/proc/mounts").read_text().splitlines()
            if str(self.place) in line
        ]
        found += [f"file {p.name}" for p in self.builds.iterdir()]
        found += [f"group {p}" for p in Path("/sys/fs/cgroup").glob(f"**/imagefactory/slot-{slot}")]
        found += [f"link {p}" for p in Path("/sys/class/net").glob(f"ifb{slot}") if _is_veth(p)]
        found += [f"netns {p}" for p in Path("/run/netns").glob(f"ifb{slot}")]
        rules = subprocess.run(["iptables-save"], capture_output=True, text=True, check=True).stdout
        found += [f"rule {line}" for line in rules.splitlines() if f"ifb{slot} " in line or f"IFB{slot} " in line]
        found += [
            f"loop {p}" for p in Path("/sys/block").glob("loop*/loop/backing_file") if str(self.place) in _text(p)
        ]
        found += [f"root {p}" for p in Path("/run/imagefactory-jail").glob(str(slot))]
        return found + [f"process {p}" for p in processes_of(uid)]

    def remove(self) -> None:
        self.end()
        shutil.rmtree(self.place, ignore_errors=True)


class _AsUser(LocalExecutor):
    """Connects as the ordinary user: the helper serves nobody else, and the machine's root is nobody in
    there."""

    def _connect(self) -> socket.socket:
        os.seteuid(64000)
        try:
            return super()._connect()
        finally:
            os.seteuid(0)


class DegradedStand(Stand):
    """A helper without root: an ordinary user, with subordinate ids that only this test's mount namespace
    knows."""

    def __init__(self) -> None:
        super().__init__()
        self.executor = _AsUser(self.socket)

    _AS_USER = (
        'set -e; for f in passwd subuid subgid; do mount --bind "$1/etc/$f" "/etc/$f"; done; '
        'shift; exec setpriv --reuid 64000 --regid 64000 --clear-groups "$@"'
    )

    def start(self) -> None:
        etc = self.place / "etc"
        etc.mkdir(exist_ok=True)
        (etc / "passwd").write_text(Path("/etc/passwd").read_text() + "ifdegraded:x:64000:64000::/:/usr/sbin/nologin\n")
        for name in ("subuid", "subgid"):
            (etc / name).write_text("ifdegraded:910000000:65536\n")
        self.builds.mkdir(exist_ok=True)
        for path in (self.builds, self.place / "run"):
            os.chown(path, 64000, 64000)
        argv = [sys.executable, "-m", "imagefactory.executors.local.keeper"]
        argv += ["--socket", str(self.socket), "--builds", str(self.builds)]
        self.process = subprocess.Popen(
            [
                "unshare",
                "--mount",
                "--propagation",
                "private",
                "sh",
                "-c",
                self._AS_USER,
                "sh",
                str(self.place),
                *argv,
            ],
            env={"PATH": os.environ["PATH"], "PYTHONPATH": str(SOURCE)},
            cwd="/",
        )
        wait_until(self._answers, "the degraded helper answers")


def _is_veth(path: Path) -> bool:
    # The kernel's own "intermediate functional block" devices are called ifb0 and ifb1 too.
    return (path / "ifindex").read_text() != (path / "iflink").read_text()


def _text(path: Path) -> str:
    with contextlib.suppress(OSError):
        return path.read_text()
    return ""


def processes_of(uid: int) -> list[str]:
    """Return the processes of a slot: its uid and its subordinate ids."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if uid <= process.uids().real <= uid + 65_536:
                found.append(f"{process.pid} {process.name()}")
    return found


class Played:
    """All that one run said."""

    def __init__(self, events: Sequence[Event]) -> None:
        self.events = events
        self.text = b"".join(e.data for e in events if isinstance(e, Output)).decode(errors="replace")
        self.codes = [e.exit_code for e in events if isinstance(e, Exited)]
        self.usages = [e for e in events if isinstance(e, Usage)]
        last = events[-1]
        assert isinstance(last, Finished)
        self.finished = last
        self.end, self.reason = last.end, last.reason


def plan(
    executor: Executor, *argvs: Sequence[str], limits: Limits = SMALL, network: Any = "none", env: Any = None
) -> Plan:
    execution_id = uuid.uuid4().hex
    workspace = executor.workspace(execution_id, limits.disk_mib)
    return Plan(execution_id, workspace, [Command("build", argv, env or {}) for argv in argvs], limits, network)


def sh(script: str) -> list[str]:
    return ["sh", "-c", script]


@contextlib.contextmanager
def running(executor: Executor, given: Plan) -> Iterator[tuple[Run, Iterator[Event]]]:
    """Start a plan and wait for its first output."""
    run = executor.start(given)
    events = run.events()
    for event in events:
        if isinstance(event, Output):
            break
    try:
        yield run, events
    finally:
        run.cancel()
        for _ in events:
            pass
        with contextlib.suppress(Exception):
            executor.cleanup(given.execution_id)


def play(executor: Executor, *argvs: Sequence[str], fill: Callable[[Path], None] | None = None, **more: Any) -> Played:
    """Run commands to the end and clean up."""
    given = plan(executor, *argvs, **more)
    try:
        if fill:
            fill(given.workspace)
        return Played(list(executor.start(given).events()))
    finally:
        executor.cleanup(given.execution_id)


_POLICY = {"default": [{"type": "insecureAcceptAnything"}]}
_STORE = ["buildah", "--storage-driver", "overlay"]
SIGNATURES = ["--signature-policy", "/build/policy.json"]
BUD = [
    *_STORE,
    "bud",
    "--isolation",
    "rootless",
    "--runtime",
    "crun",
    "--network",
    "host",
    *SIGNATURES,
    "--pull-never",
]
BUD += [
    "--format",
    "oci",
    "--timestamp",
    "0",
    "--tag",
    "localhost/image",
    "--file",
    "/build/context/Dockerfile",
    "/build/context",
]
PUSH = [*_STORE, "push", "--quiet", *SIGNATURES, "localhost/image", "oci:/build/out/image:v1"]
FROM_BUSYBOX = 'FROM scratch AS base\nCOPY busybox /bin/busybox\nRUN ["/bin/busybox", "--install", "-s", "/bin"]\n'


def dockerfile(text: str, **files: str) -> Callable[[Path], None]:
    """Return what fills a workspace with this Dockerfile behind a busybox base."""

    def fill(workspace: Path) -> None:
        context = workspace / "context"
        context.mkdir()
        (workspace / "out").mkdir()
        (workspace / "policy.json").write_text(json.dumps(_POLICY))
        shutil.copy("/usr/bin/busybox", context / "busybox")
        (context / "Dockerfile").write_text(FROM_BUSYBOX + text)
        for name, content in files.items():
            (context / name).write_text(content)
        owner = workspace.stat()
        for path in workspace.rglob("*"):
            os.chown(path, owner.st_uid, owner.st_gid)

    return fill
