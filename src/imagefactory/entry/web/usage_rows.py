"""Usage samples as small curves: CPU, memory, disk and network over the time of an attempt."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Sequence

from imagefactory.domain.builds.selectors import Usage
from imagefactory.entry.web import words

_POINTS = 60  # more than a curve of 84 pixels can show


@dataclasses.dataclass(frozen=True)
class Curve:
    """A named curve: `points` of an SVG polyline in a box of 100 by 20, and its sum in words."""

    name: str
    points: str
    text: str


def _thin(values: Sequence[float]) -> list[float]:
    """Return at most _POINTS values; each is the highest of its part, so that no peak is lost."""
    if len(values) <= _POINTS:
        return list(values)
    step = len(values) / _POINTS
    return [max(values[int(i * step) : max(int(i * step) + 1, int((i + 1) * step))]) for i in range(_POINTS)]


def _points(values: Sequence[float]) -> str:
    thin = _thin(values)
    top, wide = max(thin) or 1.0, max(len(thin) - 1, 1)
    return " ".join(f"{100 * i / wide:.1f},{19 - 18 * v / top:.1f}" for i, v in enumerate(thin))


def _rates(samples: Sequence[Usage], field: str) -> list[float]:
    """Return the change of a running total per second between neighbours."""
    found = [0.0]
    for before, after in itertools.pairwise(samples):
        seconds = max((after.at - before.at).total_seconds(), 0.1)
        found.append(max(0.0, (getattr(after, field) - getattr(before, field)) / seconds))
    return found


def curves(samples: Sequence[Usage], cores: float) -> list[Curve]:
    """Return the curves of an attempt; none without at least two samples. `cores` is what it might use."""
    if len(samples) < 2:
        return []
    cpu = [ms / 1000 for ms in _rates(samples, "cpu_ms")]
    memory = [float(u.memory_bytes) for u in samples]
    disk = [float(u.disk_bytes) for u in samples]
    taken = samples[-1].net_in_bytes
    rows = [
        Curve("CPU", _points(cpu), f"{max(cpu):.1f} of {cores:g} cores"),
        Curve("Memory", _points(memory), f"{words.size(max(memory))} peak"),
        Curve("Disk", _points(disk), f"{words.size(max(disk))} peak"),
    ]
    if taken:
        rows.append(Curve("Network", _points(_rates(samples, "net_in_bytes")), f"{words.size(taken)} in"))
    return rows
