r"""How a log lies in a file: whole lines, and beside it a sparse index of offsets.

The format is in docs/reference/log-format.md. A line is `number \t at_ms \t stage \t stream \t text \n` in
UTF-8; the index holds, for every 1024th line, its offset as eight bytes, so that reading from any line costs
one seek and a short skip.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Final

from imagefactory.adapters.logs import base
from imagefactory.adapters.logs.base import Line

EVERY: Final = 1024
STEP: Final = 262_144  # bytes read at once


def encode(lines: Sequence[Line]) -> bytes:
    """Return lines as the file holds them; text over the limit is cut with a mark."""
    return "".join(
        [
            f"{number}\t{at_ms}\t{stage}\t{stream}\t{base.shortened(text)}\n"
            for number, at_ms, stage, stream, text in lines
        ]
    ).encode("utf-8", "replace")


def marks_in(data: bytes, first: int, count: int, size: int) -> list[int]:
    """Return the offsets of the lines in `data` that the index names: 1025, 2049, ..."""
    marks: list[int] = []
    wanted = first + (1 - first) % EVERY
    if wanted == 1:
        wanted += EVERY
    if wanted >= first + count:
        return marks
    position = 0
    for number in range(first, first + count):
        if number == wanted:
            marks.append(size + position)
            wanted += EVERY
        position = data.index(b"\n", position) + 1
    return marks


def number_at(log: int, offset: int) -> int | None:
    """Return the number of the line that begins at this offset of an open file, None where none does."""
    if offset > os.fstat(log).st_size:
        return None
    number, tab, _ = os.pread(log, 24, offset).partition(b"\t")
    return int(number) if tab and number.isdigit() else None


def take(log: int, offset: int, number: int, after: int, limit: int) -> tuple[list[Line], int]:
    """Read whole lines from `offset` on; returns those above `after` and the offset behind the last."""
    lines: list[Line] = []
    rest = b""
    read = 0
    while len(lines) < limit and read < base.MAX_READ_BYTES:
        chunk = os.pread(log, STEP, offset + len(rest))
        if not chunk:
            break
        *whole, rest = (rest + chunk).split(b"\n")
        for raw in whole:
            if len(lines) >= limit:
                break
            parts = raw.split(b"\t", 4)
            if len(parts) != 5 or parts[0] != b"%d" % number:
                return lines, offset  # what a crash left; the next writer cuts it off
            offset += len(raw) + 1
            if number > after:
                lines.append(
                    Line(
                        number,
                        int(parts[1]),
                        parts[2].decode(),
                        parts[3].decode(),
                        parts[4].decode("utf-8", "replace"),
                    )
                )
                read += len(raw)
            number += 1
    return lines, offset


def is_cut(raw: bytes) -> bool:
    """Return whether this stored line is the mark of a truncation."""
    parts = raw.split(b"\t", 4)
    return len(parts) == 5 and parts[3] == base.CUT.encode()
