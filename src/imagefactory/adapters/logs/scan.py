"""Searching a log file within bounded time: text in this process, regular expressions in a child that can be
killed.

Python's regular expressions can take for ever on a hostile pattern and cannot be stopped from outside; a
child process can. The child gets the pattern on its standard input and answers with line numbers.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Final

from imagefactory.adapters.logs.base import PatternInvalid

_SEQUENCE = re.compile(rb"\x1b\[[0-?]*[ -/]*[@-~]")

# A pattern may be made to take all its time: as many as this at once leave a process of web the rest of its threads.
AT_ONCE: Final = 2
_ROOM: Final = threading.BoundedSemaphore(AT_ONCE)

# Runs isolated (-I -S): no site packages, no environment, 30 ms to start. It counts and names lines, nothing
# else.
_CHILD: Final = r"""
import json, re, resource, sys
ask = json.loads(sys.stdin.readline())
resource.setrlimit(resource.RLIMIT_CPU, (ask["cpu"], ask["cpu"]))
resource.setrlimit(resource.RLIMIT_AS, (1 << 29, 1 << 29))
wanted = re.compile(ask["pattern"], 0 if ask["case"] else re.IGNORECASE)
colour = re.compile("\x1b\\[[0-?]*[ -/]*[@-~]")
total = 0
with open(ask["path"], encoding="utf-8", errors="replace", newline="\n") as log:
    for row in log:
        parts = row.rstrip("\n").split("\t", 4)
        if len(parts) == 5 and wanted.search(colour.sub("", parts[4])):
            total += 1
            if total <= ask["limit"]:
                print(parts[0])
            elif total % 1000 == 0:
                print("+1000")
            sys.stdout.flush()
print("=", total)
"""


def search(
    path: Path, pattern: str, *, regex: bool, case: bool, limit: int, until: float
) -> tuple[list[int], int, bool]:
    """Return the numbers of the first `limit` matching lines, the count of all, and whether the whole file
    was read.

    `until` is a time of `time.monotonic()`; past it the search ends with what it has. The pattern was
    checked before.
    """
    if regex:
        return _in_child(path, pattern, case=case, limit=limit, until=until)
    wanted = re.compile(re.escape(pattern), 0 if case else re.IGNORECASE)
    numbers: list[int] = []
    total = 0
    with path.open("rb") as log:
        for at, raw in enumerate(log):
            if at % 2048 == 0 and time.monotonic() > until:
                return numbers, total, False
            number, _, rest = raw.partition(b"\t")
            text = rest.split(b"\t", 3)[-1].rstrip(b"\n")
            if b"\x1b" in text:
                text = _SEQUENCE.sub(b"", text)
            if wanted.search(text.decode("utf-8", "replace")):
                total += 1
                if total <= limit:
                    numbers.append(int(number))
    return numbers, total, True


def _in_child(path: Path, pattern: str, *, case: bool, limit: int, until: float) -> tuple[list[int], int, bool]:
    """Search in a process of its own. Raises PatternInvalid while too many others do."""
    if not _ROOM.acquire(timeout=0.5):
        raise PatternInvalid(
            "Too many searches with regular expressions run just now. Try again in a moment, or search for text."
        )
    try:
        return _run(path, pattern, case=case, limit=limit, until=until)
    finally:
        _ROOM.release()


def _run(path: Path, pattern: str, *, case: bool, limit: int, until: float) -> tuple[list[int], int, bool]:
    seconds = max(until - time.monotonic(), 0.05)
    ask = {"pattern": pattern, "case": case, "limit": limit, "path": str(path), "cpu": int(seconds) + 2}
    child = subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", _CHILD],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={},
    )
    with child:
        try:
            answer, _ = child.communicate((json.dumps(ask) + "\n").encode(), timeout=seconds)
        except subprocess.TimeoutExpired:
            child.kill()
            answer, _ = child.communicate()
    return _parse(answer.decode(), limit)


def _parse(answer: str, limit: int) -> tuple[list[int], int, bool]:
    numbers: list[int] = []
    total, complete = 0, False
    for row in answer.splitlines():
        if row.startswith("="):
            total, complete = int(row[1:]), True
        elif row.startswith("+"):
            total = max(total, limit) // 1000 * 1000 + 1000
        elif row.isdigit():
            numbers.append(int(row))
    return numbers, max(total, len(numbers)), complete
