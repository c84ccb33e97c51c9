"""Looks a password up in a file of SHA-1 hashes ordered by hash, without reading more than some lines of it."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

_LINE = 128  # bytes; `HASH:COUNT` is 40 characters, a colon and a number


def is_breached(password: str, path: Path) -> bool:
    """Whether the file (lines `HASH` or `HASH:COUNT`, hexadecimal, ordered) holds this password's SHA-1.

    Raises OSError when the file cannot be read.
    """
    wanted = hashlib.sha1(password.encode(), usedforsecurity=False).hexdigest().upper().encode()
    with path.open("rb") as lines:
        low, high = 0, os.fstat(lines.fileno()).st_size
        # The line wanted, if any, begins at or after `low` and before `high`.
        while low < high:
            middle = (low + high) // 2
            lines.seek(middle)
            if middle:
                lines.seek(middle - 1)
                lines.readline(_LINE)  # to the next beginning of a line, which may be `middle` itself
            start = lines.tell()
            line = lines.readline(_LINE)
            found = line[:40].upper()
            if start >= high or not line or found > wanted:
                high = middle
            elif found == wanted:
                return True
            else:
                low = start + len(line)
    return False
