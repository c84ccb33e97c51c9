"""`imagefactory up` on an empty data directory until the first page comes through the front door, and again."""

from __future__ import annotations

import re
import statistics
from collections.abc import Iterator

from benchmarks.factory import Factory
from benchmarks.figures import Figure, Options

REACH_SECONDS = 8
_STEP = re.compile(r"^\s*([\d.]+) s  (.+)$", re.MULTILINE)


def _steps(said: list[str]) -> str:
    """Return the medians of the steps that `up` names, the longest first."""
    found: dict[str, list[float]] = {}
    for text in said:
        for seconds, step in _STEP.findall(text):
            found.setdefault(step, []).append(float(seconds))
    longest = sorted(((statistics.median(v), k) for k, v in found.items()), reverse=True)[:3]
    return ", ".join(f"{step} {seconds:.1f}" for seconds, step in longest)


def measure(options: Options) -> Iterator[Figure]:
    """Yield the figures."""
    first, again = list[tuple[float, float, str]](), list[tuple[float, float, str]]()
    for _ in range(1 if options.quick else 3):
        factory = Factory(IMAGEFACTORY_EXECUTOR="fake")
        try:
            first.append(factory.up())
            factory.run("down")
            again.append(factory.up())
        finally:
            factory.run("down")
    for name, runs, reach in (("empty data directory", first, REACH_SECONDS), ("restart", again, None)):
        said = _steps([run[2] for run in runs])
        yield Figure(f"{name}: first page", statistics.median(r[0] for r in runs), "s", reach, note=said)
        note = "every process has stayed up for a second"
        yield Figure(f"{name}: `up` returns", statistics.median(r[1] for r in runs), "s", note=note)
