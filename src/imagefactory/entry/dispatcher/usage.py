"""Usage samples of one execution: kept in small batches, thinner the longer it runs, and summed up at the end."""

from __future__ import annotations

import dataclasses
import datetime as dt
from typing import Any

from imagefactory.domain.builds.queue import Claim
from imagefactory.domain.builds.services.execution import add_usage
from imagefactory.executors.base import Usage
from imagefactory.kernel.clock import now

_BATCH = 5
_DENSE = 300  # samples at one a second; after that one in ten


class UsageRecorder:
    """Takes the executor's samples on the attempt's thread."""

    def __init__(self, claim: Claim) -> None:
        self._claim = claim
        self._waiting: list[dict[str, int | dt.datetime]] = []
        self._seen = 0
        self._peak: dict[str, int] = {}
        self._last: Usage | None = None

    def add(self, usage: Usage) -> None:
        """Keep a sample."""
        self._seen += 1
        self._last = usage
        for name in ("memory_bytes", "disk_bytes", "pids"):
            self._peak[name] = max(self._peak.get(name, 0), getattr(usage, name))
        if self._seen <= _DENSE or self._seen % 10 == 0:
            self._waiting.append({"at": now(), **dataclasses.asdict(usage)})
        if len(self._waiting) >= _BATCH:
            self.flush()

    def flush(self) -> None:
        """Write what waits."""
        waiting, self._waiting = self._waiting, []
        if waiting:
            add_usage(self._claim, waiting)

    def summary(self) -> dict[str, Any]:
        """Return totals and peaks for the execution's record."""
        if self._last is None:
            return {}
        last = dataclasses.asdict(self._last)
        totals = {n: last[n] for n in ("cpu_ms", "io_read_bytes", "io_write_bytes", "net_in_bytes", "net_out_bytes")}
        return totals | {f"peak_{n}": v for n, v in self._peak.items()}
