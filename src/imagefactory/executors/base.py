"""What an executor promises: a plan becomes running processes, their lines, their usage and an OCI layout.

The contract, kept by every executor and proved by `tests/contracts/test_executors.py`:

* `start` is called once for each execution. It returns as soon as the first process runs, or raises
  `ExecutorUnavailable`
  (nothing was started, the dispatch may be tried again) or `PlanRefused` (this plan can never run here).
* `Run.events()` is iterated by one thread. It yields lines and usage in order, and ends after exactly one
  `Finished`.
* `Run.cancel` may be called from any thread, at any time, any number of times. It returns at once;
  `events()` then ends.
* `cleanup` may be called at any time, twice, and for executions that this process never knew (after a
  crash): when it
  returns, no process, mount, cgroup, network namespace or directory of that execution is left.
* Nothing here knows Django, the database, or a secret that is not in the plan.
"""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Literal, Protocol


class ExecutorUnavailable(Exception):
    """The executor cannot run anything now (helper not reachable, no free slot, disk full). Message is a
    sentence.
    """


class PlanRefused(Exception):
    """This plan can never run on this executor. Message says why and what to change."""


@dataclasses.dataclass(frozen=True)
class Limits:
    """What one execution may use."""

    cpus: float
    memory_mib: int
    disk_mib: int
    pids: int
    timeout_seconds: int


@dataclasses.dataclass(frozen=True)
class Command:
    """One process of a plan, run inside the isolation, in order; a non-zero exit ends the plan.

    `argv` are paths and arguments as seen inside: the build directory is `/build`. Stage is the stage its
    lines belong to.
    """

    stage: str
    argv: Sequence[str]
    env: Mapping[str, str] = dataclasses.field(default_factory=dict)
    cwd: str = "/build"


Network = Literal["none", "registry", "open"]


@dataclasses.dataclass(frozen=True)
class Plan:
    """What to run. `workspace` is a directory prepared by the dispatcher; it is seen as `/build` inside.

    Its layout: `context/` the source, `bases/<n>/` OCI layouts of base images, `secrets/<id>` files of mode
    0600, `out/` where the OCI layout `out/image` must appear, and whatever else a method needs.
    """

    execution_id: str
    workspace: Path
    commands: Sequence[Command]
    limits: Limits
    network: Network = "none"


class End(enum.StrEnum):
    """How an execution ended."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    TIMED_OUT = "timed_out"
    OUT_OF_MEMORY = "out_of_memory"
    OUT_OF_DISK = "out_of_disk"
    OUT_OF_PIDS = "out_of_pids"
    LOST = "lost"


@dataclasses.dataclass(frozen=True)
class Started:
    """The command with this index into `Plan.commands` started."""

    index: int


@dataclasses.dataclass(frozen=True)
class Output:
    """Bytes as the process wrote them; not cut at lines, not masked."""

    index: int
    stream: Literal["out", "err"]
    data: bytes


@dataclasses.dataclass(frozen=True)
class Exited:
    """The command with this index ended with this exit code (negative: the signal)."""

    index: int
    exit_code: int


@dataclasses.dataclass(frozen=True)
class Usage:
    """One sample, about once a second. CPU is a running total; the rest are levels at the time of the
    sample.
    """

    cpu_ms: int
    memory_bytes: int
    disk_bytes: int
    pids: int
    io_read_bytes: int
    io_write_bytes: int
    net_in_bytes: int = 0
    net_out_bytes: int = 0


@dataclasses.dataclass(frozen=True)
class Finished:
    """The last event. `reason` is a sentence for people when the end is not `succeeded`."""

    end: End
    reason: str = ""


Event = Started | Output | Exited | Usage | Finished


@dataclasses.dataclass(frozen=True)
class Isolation:
    """Which walls really stood around an execution; kept with the build's record.

    `level` is `jail` (private root, namespaces, own uid, cgroup) or `degraded`; `missing` names each absent
    wall.
    """

    level: Literal["jail", "degraded", "none"]
    runtime: str
    cgroup: Literal["v1", "hybrid", "v2", "none"]
    network: str
    uid: int
    missing: Sequence[str] = ()
    many_ids: bool = True  # whether there are users besides root inside a build


class Run(Protocol):
    """One started execution."""

    @property
    def isolation(self) -> Isolation: ...

    def events(self) -> Iterator[Event]: ...

    def cancel(self) -> None: ...


class Executor(Protocol):
    """Where plans run."""

    name: str

    def expected(self, network: Network) -> Isolation:
        """Return the walls that a build asking for this network would get now, its network in force among them.

        The truth is `Run.isolation`; this is for the first lines of a log. Raises ExecutorUnavailable.
        """
        ...

    def workspace(self, execution_id: str, disk_mib: int) -> Path:
        """Make an empty, size-limited build directory that only the build's own uid and this process can
        read.

        Raises ExecutorUnavailable when there is no slot or no space.
        """
        ...

    def start(self, plan: Plan) -> Run: ...

    def cleanup(self, execution_id: str) -> None: ...

    def leftovers(self) -> Sequence[str]:
        """Execution ids of which anything is still on this machine; the dispatcher cleans those it does not
        know.
        """
        ...
