"""CPU time of process trees: the figure that means the same on a busy machine."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import psutil

from imagefactory.adapters.postgres import embedded


def seconds(pid: int) -> float:
    """Return the CPU seconds of a process, of its children, and of those that it has already reaped."""
    found = 0.0
    with contextlib.suppress(psutil.Error):
        top = psutil.Process(pid)
        for process in (top, *top.children(recursive=True)):
            with contextlib.suppress(psutil.Error):
                found += sum(process.cpu_times()[:4])  # own user and system, reaped children's user and system
    return found


def postmaster(server: Path) -> int:
    """Return the process id of the database whose server directory this is."""
    return int((embedded.data_path(server) / "postmaster.pid").read_text().split()[0])


class Spent:
    """CPU milliseconds of some process trees while a block ran."""

    def __init__(self, pids: dict[str, int]) -> None:
        self._pids = pids
        self.ms: dict[str, float] = dict.fromkeys(pids, 0.0)

    @contextlib.contextmanager
    def counting(self) -> Iterator[None]:
        """Add what the block costs; may be used many times."""
        before = {name: seconds(pid) for name, pid in self._pids.items()}
        yield
        for name, pid in self._pids.items():
            self.ms[name] += (seconds(pid) - before[name]) * 1000

    def each(self, count: int) -> str:
        """Return it for one of `count`, as text."""
        per = ", ".join(f"{name} {ms / count:.2f}" for name, ms in self.ms.items())
        return f"CPU ms each: {per}"
