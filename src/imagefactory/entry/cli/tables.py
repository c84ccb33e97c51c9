"""How the command line shows things: tables, sentences and JSON, with no control code from outside."""

from __future__ import annotations

import datetime as dt
import json
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

# What a build prints reaches a terminal, where an escape sequence in it could rewrite the screen.
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_COLOUR_CODE = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
_PIPE_WIDTH = 400  # columns where nobody looks: wide enough that no cell is folded

STYLES = {
    "Succeeded": "green",
    "Failed": "red",
    "Cancelled": "yellow",
    "Running": "cyan",
    "Skipped": "dim",
    "Waiting": "dim",
    "pass": "green",
    "warn": "yellow",
    "fail": "red",
}


def plain(value: object) -> str:
    """Return text without terminal control codes."""
    return _CONTROL.sub("\N{REPLACEMENT CHARACTER}", _COLOUR_CODE.sub("", str(value)))


def console() -> Console:
    """Return a console on the present standard output; there is no colour where it is no terminal."""
    width = None if sys.stdout.isatty() else _PIPE_WIDTH
    return Console(file=sys.stdout, width=width, markup=False, highlight=False, emoji=False)


def say(text: object = "") -> None:
    """Print one sentence or line on standard output."""
    sys.stdout.write(plain(text) + "\n")
    sys.stdout.flush()


def complain(text: object) -> None:
    """Print one sentence on standard error."""
    sys.stderr.write(plain(text) + "\n")
    sys.stderr.flush()


def show_json(data: Any) -> None:
    """Print what the API answered, as JSON that a program can read."""
    sys.stdout.write(json.dumps(data, indent=2, ensure_ascii=not _utf8()) + "\n")
    sys.stdout.flush()


def _utf8() -> bool:
    return (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"


def show_table(columns: Sequence[str], rows: Iterable[Sequence[object]], *, empty: str) -> None:
    """Print a table, or the sentence `empty` where there is no row."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in columns:
        table.add_column(name, overflow="fold")
    for row in rows:
        table.add_row(*[_cell(value) for value in row])
    if table.row_count:
        console().print(table)
    else:
        say(empty)


def _cell(value: object) -> Text:
    text = plain("" if value is None else value)
    return Text(text, style=STYLES.get(text, ""))


def show_fields(pairs: Iterable[tuple[str, object]]) -> None:
    """Print names and values, one pair a line, leaving out what is empty."""
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    for name, value in pairs:
        if value not in (None, "", [], {}):
            table.add_row(Text(name), _cell(value))
    console().print(table)


def moment(text: str | None) -> str:
    """Return a time of the API (RFC 3339) in the local zone, to the second; empty for none."""
    if not text:
        return ""
    try:
        return dt.datetime.fromisoformat(text).astimezone().strftime("%Y-%m-%d %H:%M:%S")
    except ValueError:
        return text


def duration(start: str | None, end: str | None) -> str:
    """Return the time between two times of the API in seconds or minutes; empty while one is missing."""
    if not start or not end:
        return ""
    seconds = (dt.datetime.fromisoformat(end) - dt.datetime.fromisoformat(start)).total_seconds()
    return f"{seconds:.1f} s" if seconds < 120 else f"{seconds // 60:.0f} min {seconds % 60:.0f} s"


def size(count: int) -> str:
    """Return a number of bytes in MiB or KiB."""
    return f"{count / 1_048_576:.1f} MiB" if count >= 1_048_576 else f"{count / 1024:.1f} KiB"


def stage_rows(stages: Iterable[Mapping[str, Any]]) -> list[tuple[object, ...]]:
    """Return the table rows of a build's stages."""
    return [
        (s["name"], s["status"].capitalize(), duration(s.get("started_at"), s.get("finished_at")), s.get("message", ""))
        for s in stages
    ]
