"""Limits, usage and the kill of one build by control groups: version 1, version 2, and both at once
(hybrid).
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import signal
import time
from pathlib import Path
from typing import Literal

ROOT = Path("/sys/fs/cgroup")
PARENT = "imagefactory"
_V1 = ("cpu", "cpuacct", "memory", "blkio", "pids", "freezer")


def mode() -> Literal["v1", "hybrid", "v2", "none"]:
    """Return `v2`, `hybrid`, `v1` or `none`: how control groups are mounted here."""
    if (ROOT / "cgroup.controllers").exists():
        return "v2"
    has_v1 = (ROOT / "memory" / "cgroup.procs").exists()
    if has_v1 and (ROOT / "unified" / "cgroup.procs").exists():
        return "hybrid"
    return "v1" if has_v1 else "none"


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""


def _number(path: Path) -> int:
    text = _read(path).strip()
    return int(text) if text.isdigit() else 0


def _table(path: Path) -> dict[str, int]:
    rows = (line.split() for line in _read(path).splitlines())
    return {row[0]: int(row[1]) for row in rows if len(row) == 2 and row[1].lstrip("-").isdigit()}


def _write(path: Path, value: str | int) -> bool:
    try:
        path.write_text(str(value))
    except OSError:
        return False
    return True


@dataclasses.dataclass(frozen=True)
class Sample:
    """CPU in ms as a running total, resident memory in bytes, processes, bytes read and written."""

    cpu_ms: int
    memory: int
    pids: int
    read: int
    written: int


class Group:
    """The control groups of one slot. Every method may be called in any state and repeated."""

    def __init__(self, name: str) -> None:
        self.mode = mode()
        self.missing: list[str] = []
        if self.mode == "v2":
            self._dirs = {"unified": ROOT / PARENT / name}
        elif self.mode == "none":
            self._dirs = {}
        else:
            present = [c for c in (*_V1, "unified") if (ROOT / c / "cgroup.procs").exists()]
            self._dirs = {c: ROOT / c / PARENT / name for c in present}

    def create(self, *, cpus: float, memory_mib: int, pids: int) -> None:
        """Make the groups and set the limits; what could not be limited is named in `missing`."""
        if self.mode == "none":
            self.missing = ["cpu limit", "memory limit", "process limit"]
            return
        if self.mode == "v2":
            (ROOT / PARENT).mkdir(exist_ok=True)
            # one at a time: a missing one fails the whole write
            for controller in ("cpu", "memory", "pids", "io"):
                for top in (ROOT, ROOT / PARENT):
                    _write(top / "cgroup.subtree_control", f"+{controller}")
        for path in self._dirs.values():
            path.mkdir(parents=True, exist_ok=True)
        memory = memory_mib * 1024 * 1024
        if self.mode == "v2":
            here = self._dirs["unified"]
            done = {
                "cpu limit": _write(here / "cpu.max", f"{int(cpus * 100_000)} 100000"),
                "memory limit": _write(here / "memory.max", memory),
                "process limit": _write(here / "pids.max", pids),
            }
            _write(here / "memory.swap.max", 0)
        else:
            period = self._dirs["cpu"] if "cpu" in self._dirs else Path("/nonexistent")
            done = {
                "cpu limit": _write(period / "cpu.cfs_period_us", 100_000)
                and _write(period / "cpu.cfs_quota_us", int(cpus * 100_000)),
                "memory limit": _write(self._path("memory", "memory.limit_in_bytes"), memory),
                "process limit": _write(self._path("pids", "pids.max"), pids),
            }
            _write(self._path("memory", "memory.memsw.limit_in_bytes"), memory)
        self.missing = [what for what, ok in done.items() if not ok]

    def _path(self, controller: str, name: str) -> Path:
        return self._dirs.get(controller, Path("/nonexistent")) / name

    def procs_files(self) -> list[str]:
        """Return the files that a process writes its id into to join."""
        return [str(d / "cgroup.procs") for d in self._dirs.values()]

    def sample(self) -> Sample:
        """Return what the group used so far."""
        if self.mode == "v2":
            here = self._dirs["unified"]
            cpu, io = _table(here / "cpu.stat"), [0, 0]
            for part in _read(here / "io.stat").split():
                for i, key in enumerate(("rbytes=", "wbytes=")):
                    if part.startswith(key):
                        io[i] += int(part.removeprefix(key))
            memory = _table(here / "memory.stat")
            resident = memory.get("anon", 0) + memory.get("kernel", 0)
            return Sample(cpu.get("usage_usec", 0) // 1000, resident, _number(here / "pids.current"), *io)
        stat = _table(self._path("memory", "memory.stat"))
        io = [0, 0]
        for line in _read(self._path("blkio", "blkio.throttle.io_service_bytes_recursive")).splitlines():
            words = line.split()
            if len(words) == 3 and words[1] in {"Read", "Write"}:
                io[words[1] == "Write"] += int(words[2])
        return Sample(
            _number(self._path("cpuacct", "cpuacct.usage")) // 1_000_000,
            stat.get("total_rss", 0),
            _number(self._path("pids", "pids.current")),
            *io,
        )

    def out_of_memory(self) -> bool:
        """Whether the kernel killed a process of the group for its memory."""
        if self.mode == "v2":
            return _table(self._dirs["unified"] / "memory.events").get("oom_kill", 0) > 0
        return _table(self._path("memory", "memory.oom_control")).get("oom_kill", 0) > 0

    def refused_forks(self) -> int:
        """Return how often a fork was refused because of the process limit."""
        where = self._dirs["unified"] if self.mode == "v2" else self._dirs.get("pids", Path("/nonexistent"))
        return _table(where / "pids.events").get("max", 0)

    def _members(self) -> set[int]:
        found: set[int] = set()
        for top in self._dirs.values():
            for directory, _, _ in os.walk(top):
                # 0 stands for a process of another pid namespace; a signal to 0 would go to our own group.
                found |= {int(p) for p in _read(Path(directory) / "cgroup.procs").split() if p.isdigit() and p != "0"}
        return found

    def destroy(self, seconds: float = 10.0) -> bool:
        """Kill every process in the group and remove it; returns whether nothing is left."""
        deadline = time.monotonic() + seconds
        while True:
            if "unified" in self._dirs:
                _write(self._dirs["unified"] / "cgroup.kill", 1)
            for pid in self._members():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            if all(self._remove(d) for d in self._dirs.values()):
                return True
            if time.monotonic() > deadline:
                return False
            time.sleep(0.02)

    @staticmethod
    def _remove(top: Path) -> bool:
        if not top.exists():
            return True
        for directory, _, _ in sorted(os.walk(top), key=lambda w: -len(w[0])):
            with contextlib.suppress(OSError):
                Path(directory).rmdir()
        return not top.exists()
