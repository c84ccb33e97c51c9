"""Files that stand in the manifest itself."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from imagefactory.adapters.sources.base import Fetched


def write(files: Mapping[str, str], target: Path) -> Fetched:
    """Write the files below `target`; their paths were checked with the manifest."""
    size = 0
    for name, text in files.items():
        path = target / name
        path.parent.mkdir(parents=True, exist_ok=True)
        data = text.encode()
        path.write_bytes(data)
        path.chmod(0o755 if text.startswith("#!") else 0o644)
        size += len(data)
    return Fetched(size, len(files))
