"""Measures and limits a build without control groups: the process tree is looked at, and ended when it goes
too far.

Weaker than a group: what lives shorter than a sample is seen only through its parent, memory may overshoot
for a second, and there is no limit on CPU. Offers what `cgroup.Group` offers.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from pathlib import Path

from imagefactory.executors.local.helper.cgroup import Sample

_TICK, _PAGE = os.sysconf("SC_CLK_TCK"), os.sysconf("SC_PAGE_SIZE")


class ProcessTree:
    """All descendants of the process `top`; a jail's orphans stay below its process 1, which is among
    them.
    """

    mode = "none"

    def __init__(self) -> None:
        self.missing = ["cpu limit", "exact memory limit", "exact process limit"]
        self.top = 0
        self._memory = self._pids = 0
        self._too_much_memory, self._too_many = False, 0
        self._cpu_ms = 0

    def create(self, *, cpus: float, memory_mib: int, pids: int) -> None:
        """Remember the limits."""
        self._memory, self._pids = memory_mib * 1024 * 1024, pids

    def procs_files(self) -> list[str]:
        return []

    def sample(self) -> Sample:
        """Look at the tree; ends it when it has too much memory."""
        cpu = memory = count = read = written = 0
        for pid, fields in self._descendants().items():
            cpu += sum(int(value) for value in fields[11:15]) * 1000 // _TICK
            memory += int(fields[21]) * _PAGE
            count += 1
            with contextlib.suppress(OSError, ValueError, IndexError):
                for line in Path(f"/proc/{pid}/io").read_text(encoding="ascii").splitlines():
                    name, _, value = line.partition(": ")
                    read += int(value) if name == "read_bytes" else 0
                    written += int(value) if name == "write_bytes" else 0
        self._cpu_ms = max(self._cpu_ms, cpu)  # a process that ended between two looks must not turn the clock back
        # Ten per cent below the limit counts as at it: forks fail a little earlier, for the user's other
        # processes.
        self._too_many += count >= self._pids * 9 // 10
        if memory > self._memory:
            self._too_much_memory = True
            self.destroy()
        return Sample(self._cpu_ms, memory, count, read, written)

    def out_of_memory(self) -> bool:
        return self._too_much_memory

    def refused_forks(self) -> int:
        return self._too_many

    def heads(self) -> list[int]:
        """Return the children of `top`: process 1 of the jail, once it is there."""
        with contextlib.suppress(OSError):
            text = Path(f"/proc/{self.top}/task/{self.top}/children").read_text(encoding="ascii")
            return [int(pid) for pid in text.split()]
        return []

    def destroy(self, seconds: float = 10.0) -> bool:
        """Kill the tree, process 1 of the jail first: the kernel then kills all of its namespace."""
        deadline = time.monotonic() + seconds
        while pids := list(self._descendants()):
            for pid in pids:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            if time.monotonic() > deadline:
                return False
            time.sleep(0.02)
        return True

    def _descendants(self) -> dict[int, list[str]]:
        if not self.top:
            return {}
        fields: dict[int, list[str]] = {}
        children: dict[int, list[int]] = {}
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                with contextlib.suppress(OSError, IndexError, ValueError):
                    found = (entry / "stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()
                    if found[0] != "Z":
                        fields[int(entry.name)] = found
                    children.setdefault(int(found[1]), []).append(int(entry.name))
        result, waiting = {}, [self.top]
        while waiting:
            for pid in children.get(waiting.pop(), []):
                waiting.append(pid)
                if pid in fields:
                    result[pid] = fields[pid]
        return result
