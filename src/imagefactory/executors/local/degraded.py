"""How the helper is started where there is no root: as root of a user namespace, with fewer walls around
each build.

A build still gets a private root, and pid, mount, ipc and uts namespaces. It has no uid of its own, no
control group, no
disk of limited size, and with any network policy but `none` it has this machine's network. The record says
so.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path


class DegradedRefused(Exception):
    """This process may not start a helper without its walls. The message says what to do."""


def degraded_helper(*, socket: Path, builds: Path, python: str = sys.executable) -> list[str]:
    """Return the command that starts the helper without root; it serves `LocalExecutor` like the other one.

    Raises DegradedRefused as root: buildah must never run as the host's root.
    """
    if os.geteuid() == 0:
        raise DegradedRefused("Builds never run as root. Start the runner helper itself as root, without --degraded.")
    namespaces = [
        "--user",
        "--map-root-user",
        "--map-auto",
        "--mount-proc",
        "--pid",
        "--fork",
        "--kill-child",
    ]
    helper = [python, "-m", "imagefactory.executors.local.helper", "--degraded", "--client-uid", "0"]
    return ["unshare", *namespaces, *helper, "--socket", str(socket), "--builds", str(builds)]
