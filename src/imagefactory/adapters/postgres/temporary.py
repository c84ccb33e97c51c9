"""A throw-away server for tests and benchmarks: fast, in a temporary directory, worth nothing after a
crash.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from imagefactory.adapters.postgres import embedded
from imagefactory.adapters.postgres.errors import PostgresError

# Under root the server needs somebody else; on a machine where the factory never ran there is only nobody.
_ACCOUNTS = ("imagefactory", "nobody")


def _account() -> embedded.Account | None:
    if os.geteuid() != 0:
        return None
    for name in _ACCOUNTS:
        with contextlib.suppress(KeyError):
            entry = pwd.getpwnam(name)
            return embedded.Account(entry.pw_uid, entry.pw_gid)
    raise PostgresError("PostgreSQL does not run as root, and this machine has no user nobody. Create one.")


@contextlib.contextmanager
def temporary(*, durable: bool = False) -> Iterator[Path]:
    """Run a server until the block ends. Yields its data directory, for `embedded.embedded_url(path, role)`.

    The role `owner` may create databases; `app` and `system` get their rights in them by default.
    Takes about a second. Raises PostgresError when the server does not start.
    """
    account = _account()
    place = Path(tempfile.mkdtemp(prefix="ifpg-"))
    # The server's user passes through to its own directories; their modes protect what is in them.
    place.chmod(0o711)
    server: subprocess.Popen[bytes] | None = None
    try:
        embedded.prepare(place, account, durable=durable)
        who: dict[str, Any] = (
            {"user": account.uid, "group": account.gid, "extra_groups": []} if account else {}
        )
        with (place / "postgres.log").open("wb") as log:
            server = subprocess.Popen(
                embedded.argv(place), stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd="/", **who
            )
        embedded.wait_ready(place)
        yield place
    finally:
        embedded.stop(place, seconds=5.0)
        if server is not None:
            server.wait(timeout=10)
        shutil.rmtree(place, ignore_errors=True)
