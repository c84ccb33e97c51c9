"""An executor that runs nothing: for tests, benchmarks and trying the factory out. It can be told how to
fail.

A command's environment tells it: `FAKE_LINES` (how many lines to print), `FAKE_SECONDS` (how long to take),
`FAKE_END` (a value of `End`), `FAKE_TEXT` (what to print).
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import shutil
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from imagefactory.executors.base import (
    End,
    Event,
    ExecutorUnavailable,
    Exited,
    Finished,
    Isolation,
    Network,
    Output,
    Plan,
    Started,
    Usage,
)


class FakeExecutor:
    """Plays plans. `refuse` makes it unavailable with that sentence."""

    name = "fake"

    def __init__(self, root: Path, refuse: str = "") -> None:
        self.root, self.refuse = root, refuse
        root.mkdir(parents=True, exist_ok=True)

    def expected(self, network: Network) -> Isolation:
        if self.refuse:
            raise ExecutorUnavailable(self.refuse)
        return dataclasses.replace(FakeRun.isolation, network=network)

    def workspace(self, execution_id: str, disk_mib: int) -> Path:
        if self.refuse:
            raise ExecutorUnavailable(self.refuse)
        path = self.root / execution_id
        path.mkdir(mode=0o700)
        return path

    def start(self, plan: Plan) -> FakeRun:
        if self.refuse:
            raise ExecutorUnavailable(self.refuse)
        return FakeRun(plan)

    def cleanup(self, execution_id: str) -> None:
        shutil.rmtree(self.root / execution_id, ignore_errors=True)

    def leftovers(self) -> Sequence[str]:
        return sorted(p.name for p in self.root.iterdir())


class FakeRun:
    """One played plan."""

    isolation = Isolation("none", "fake", "none", "none", 0, ("everything: no process runs",))

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._cancelled = threading.Event()

    def cancel(self) -> None:
        self._cancelled.set()

    def events(self) -> Iterator[Event]:
        deadline = time.monotonic() + self._plan.limits.timeout_seconds
        for index, command in enumerate(self._plan.commands):
            yield Started(index)
            env = command.env
            for n in range(int(env.get("FAKE_LINES", "0"))):
                yield Output(index, "out", f"line {n + 1}\n".encode())
            if text := env.get("FAKE_TEXT"):
                yield Output(index, "out", text.encode() + b"\n")
            seconds = min(float(env.get("FAKE_SECONDS", "0")), max(0.0, deadline - time.monotonic()))
            if self._cancelled.wait(seconds):
                yield Finished(End.CANCELLED, "The build was cancelled.")
                return
            if time.monotonic() >= deadline:
                yield Finished(End.TIMED_OUT, "The build ran longer than its limit and was stopped.")
                return
            yield Usage(5, 1_048_576, 4096, 1, 0, 0)
            end = End(env.get("FAKE_END", "succeeded"))
            yield Exited(index, 0 if end is End.SUCCEEDED else 1)
            if end is not End.SUCCEEDED:
                yield Finished(end, f"It was told to end as {end}.")
                return
        write_layout(self._plan.workspace / "out" / "image", self._plan.execution_id)
        yield Finished(End.SUCCEEDED)


def write_layout(path: Path, unique: str) -> None:
    """Write the smallest valid OCI image layout (OCI image specification 1.0): a configuration and no
    layer.
    """
    blobs = path / "blobs" / "sha256"
    blobs.mkdir(parents=True, exist_ok=True)

    def blob(document: object) -> dict[str, object]:
        data = json.dumps(document).encode()
        digest = hashlib.sha256(data).hexdigest()
        (blobs / digest).write_bytes(data)
        return {"digest": f"sha256:{digest}", "size": len(data)}

    labels = {"execution": unique}
    config = blob(
        {
            "architecture": "amd64",
            "os": "linux",
            "config": {"Labels": labels},
            "rootfs": {"type": "layers", "diff_ids": []},
        }
    )
    manifest = blob(
        {
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": {"mediaType": "application/vnd.oci.image.config.v1+json", **config},
            "layers": [],
        }
    )
    entry = {
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "annotations": {"org.opencontainers.image.ref.name": "latest"},
        **manifest,
    }
    (path / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [entry]}))
    (path / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
