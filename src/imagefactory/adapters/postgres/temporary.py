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


def account() -> embedded.Account | None:
    """Return whom a throw-away server runs as: the caller, or an unprivileged user when that is root."""
    if os.geteuid() != 0:
        return None
    for name in _ACCOUNTS:
        with contextlib.suppress(KeyError):
            entry = pwd.getpwnam(name)
            return embedded.Account(entry.pw_uid, entry.pw_gid)
    raise PostgresError("PostgreSQL does not run as root, and this machine has no user nobody. Create one.")


def serve(place: Path, who_runs: embedded.Account | None) -> subprocess.Popen[bytes]:
    """Start the prepared server of a data directory; it ends with its starter, even a killed one."""
    embedded.clear_stale_lock(place)
    who: dict[str, Any] = {}
    if who_runs is not None:
        who = {"user": who_runs.uid, "group": who_runs.gid, "extra_groups": []}
    with (place / "postgres.log").open("ab") as log:
        argv = ["/usr/bin/setpriv", "--pdeathsig", "INT", *embedded.argv(place)]
        return subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd="/", **who)


@contextlib.contextmanager
def temporary(*, durable: bool = False) -> Iterator[Path]:
    """Run a server until the block ends. Yields its data directory, for `embedded.embedded_url(path, role)`.

    The role `owner` may create databases; `app` and `system` get their rights in them by default.
    Takes about a second. Raises PostgresError when the server does not start.
    """
    who_runs = account()
    place = Path(tempfile.mkdtemp(prefix="ifpg-"))
    # The server's user passes through to its own directories; their modes protect what is in them.
    place.chmod(0o711)
    server: subprocess.Popen[bytes] | None = None
    try:
        embedded.prepare(place, who_runs, durable=durable)
        server = serve(place, who_runs)
        embedded.wait_ready(place)
        yield place
    finally:
        embedded.stop(place, seconds=5.0)
        if server is not None:
            server.wait(timeout=10)
        shutil.rmtree(place, ignore_errors=True)
