"""The newest checkpoint, remembered outside the database: whoever rewrites only the database cannot drop it unseen."""

from __future__ import annotations

import json
import os
from pathlib import Path


def _path(data_dir: Path) -> Path:
    return data_dir / "audit" / "newest-checkpoint.json"


def remember(data_dir: Path, number: int, signature: bytes) -> None:
    """Write down the newest checkpoint; the file appears whole."""
    path = _path(data_dir)
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o750)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.write_text(json.dumps({"number": number, "signature": signature.hex()}) + "\n", "utf-8")
    draft.replace(path)


def recall(data_dir: Path) -> tuple[int, bytes] | None:
    """Return number and signature of the newest checkpoint that was written down, or None before the first.

    Raises ValueError when the file is there and says neither.
    """
    path = _path(data_dir)
    if not path.is_file():
        return None
    try:
        told = json.loads(path.read_text("utf-8"))
        return int(told["number"]), bytes.fromhex(told["signature"])
    except (KeyError, TypeError, ValueError):
        raise ValueError(f"{path} cannot be read as a checkpoint. It was changed, or damaged.") from None
