"""One measured figure, and how a list of them is printed and written."""

from __future__ import annotations

import dataclasses
import json
import os
import statistics
from collections.abc import Iterable, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table


@dataclasses.dataclass(frozen=True)
class Options:
    """`quick`: fewer samples. `large`: also the sizes that take minutes to fill."""

    quick: bool = False
    large: bool = False


@dataclasses.dataclass(frozen=True)
class Figure:
    """A measured value. `reach` is the number to reach and `more` says that a higher value is the better one.

    `peer` is what `peer_name` did in the same run. Figures with neither are there to explain others; a value of None
    says that it could not be measured, and the note why.
    """

    what: str
    value: float | None
    unit: str
    reach: float | None = None
    more: bool = False
    peer: float | None = None
    peer_name: str = ""
    note: str = ""

    def document(self) -> dict[str, Any]:
        """Return it for JSON, with both ratios."""
        return dataclasses.asdict(self) | {"to_reach": self.to_reach, "to_peer": self.to_peer}

    @property
    def to_reach(self) -> float | None:
        """The value divided by the number to reach."""
        return self.value / self.reach if self.reach and self.value is not None else None

    @property
    def to_peer(self) -> float | None:
        return self.value / self.peer if self.peer and self.value is not None else None


@dataclasses.dataclass
class PartResult:
    """What one part found, the machine's load around it, and why it stopped early if it did."""

    name: str
    title: str
    figures: list[Figure]
    load: tuple[float, float] = (0.0, 0.0)
    seconds: float = 0.0
    failed: str = ""

    def document(self) -> dict[str, Any]:
        return {
            "part": self.name, "title": self.title, "seconds": round(self.seconds, 1), "failed": self.failed,
            "load_before": self.load[0], "load_after": self.load[1],
            "figures": [figure.document() for figure in self.figures],
        }  # fmt: skip


def spread(values: Sequence[float]) -> tuple[float, float]:
    """Return median and 95th percentile."""
    if len(values) < 2:
        return values[0], values[0]
    return statistics.median(values), statistics.quantiles(values, n=100, method="inclusive")[94]


def spread_figures(
    what: str, values: Sequence[float], unit: str = "ms", *, reach: float | None = None, note: str = ""
) -> list[Figure]:
    """Return p50 and p95 of `values`; `reach` is said of the p95."""
    middle, high = spread(values)
    return [
        Figure(f"{what}, p50", middle, unit, note=f"{len(values)} samples"),
        Figure(f"{what}, p95", high, unit, reach=reach, note=note),
    ]


def load() -> float:
    """Return the load average of the last minute."""
    return round(os.getloadavg()[0], 2)


def _number(value: float) -> str:
    if value >= 1000:
        return f"{value:,.0f}"
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def _reach(figure: Figure) -> str:
    return "" if figure.reach is None else f"{'≥' if figure.more else '<'} {_number(figure.reach)}"


def _ratio(value: float | None) -> str:
    return "" if value is None else f"{value:.2f} x"


def show(result: PartResult, console: Console) -> None:
    """Print one part as a table."""
    said = f"{result.title}  ({result.seconds:.0f} s, load {result.load[0]} → {result.load[1]})"
    table = Table(title=said, title_justify="left", title_style="bold", expand=False)
    table.add_column("what", overflow="fold", max_width=56)
    for name in ("measured", "reach", "÷ reach", "peer", "÷ peer"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("note", overflow="fold", max_width=46)
    for f in result.figures:
        peer = "" if f.peer is None else _number(f.peer)
        note = "; ".join(text for text in (f"peer: {f.peer_name}" if f.peer_name else "", f.note) if text)
        table.add_row(
            f.what,
            "not measured" if f.value is None else f"{_number(f.value)} {f.unit}",
            _reach(f),
            _ratio(f.to_reach),
            peer,
            _ratio(f.to_peer),
            note,
        )
    console.print(table)
    if result.failed:
        console.print(f"Not complete: {result.failed}", style="red", markup=False)
    console.print()


def written(results: Iterable[PartResult], **about: Any) -> str:
    """Return everything as one JSON document."""
    return json.dumps({**about, "parts": [result.document() for result in results]}, indent=2) + "\n"
