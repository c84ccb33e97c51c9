"""How the helper is started where there is no root: as root of a user namespace, with fewer walls around
each build.

A build still gets a private root, and user, pid, mount, ipc, uts and network namespaces. It has no uid of its
own, no control group, no disk of limited size, and no network at all. The record says so. Buildah's own
`chroot` isolation is never used: it is no boundary, and a few lines of shell leave it.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import pwd
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

RANGES = (Path("/etc/subuid"), Path("/etc/subgid"))
LEAST_RANGE = 65_536
_FIRST_RANGE = 100_000  # where useradd begins (login.defs: SUB_UID_MIN)
_NAMESPACES = ("--user", "--map-root-user", "--mount-proc", "--pid", "--fork", "--kill-child")
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class DegradedRefused(Exception):
    """This process may not start a helper without its walls. The message says what to do."""


@dataclasses.dataclass(frozen=True)
class Ground:
    """What this machine gives to a helper of the user `uid`. An empty `problem` means that it can work."""

    uid: int
    many_ids: bool
    problem: str = ""


def degraded_helper(*, socket: Path, builds: Path, many_ids: bool = True, python: str = sys.executable) -> list[str]:
    """Return the command that starts the helper without root; it serves `LocalExecutor` like the other one.

    Without `many_ids` the namespace knows one user only. Raises DegradedRefused as root: buildah must never
    run as the host's root.
    """
    if os.geteuid() == 0:
        raise DegradedRefused("Builds never run as root. Start the runner helper itself as root, without --degraded.")
    helper = [python, "-m", "imagefactory.executors.local.helper", "--degraded", "--client-uid", "0"]
    return [*_unshare(many_ids=many_ids), *helper, "--socket", str(socket), "--builds", str(builds)]


def ground(uid: int, gid: int) -> Ground:
    """Find out by trying whether a helper of this user could work. Changes nothing.

    Root may ask for another user; an ordinary user only for themselves.
    """
    many = has_ranges(uid) and shutil.which("newuidmap", path=_PATH) is not None
    problem = _try(uid, gid, many_ids=many)
    if problem and many:
        # Ranges that newuidmap does not accept are as good as none.
        return Ground(uid, many_ids=False, problem=_try(uid, gid, many_ids=False))
    return Ground(uid, many, problem)


def has_ranges(uid: int) -> bool:
    """Return whether the user has subordinate ids enough for the users inside an image (subuid(5))."""
    names = {str(uid)}
    with contextlib.suppress(KeyError):
        names.add(pwd.getpwuid(uid).pw_name)
    return all(any(count >= LEAST_RANGE for name, _, count in _ranges(path) if name in names) for path in RANGES)


def range_command(user: str) -> str:
    """Return the command that gives a user subordinate ids, above all those that others have."""
    ends = [first + count for path in RANGES for _, first, count in _ranges(path)]
    first = max([_FIRST_RANGE, *(end for end in ends if end < 600_000_000)])
    span = f"{first}-{first + LEAST_RANGE - 1}"
    return f"usermod --add-subuids {span} --add-subgids {span} {user}"


def _ranges(path: Path) -> list[tuple[str, int, int]]:
    try:
        rows = [line.strip().split(":") for line in path.read_text(encoding="utf-8").splitlines()]
    except OSError:
        return []
    return [
        (row[0], int(row[1]), int(row[2])) for row in rows if len(row) == 3 and row[1].isdigit() and row[2].isdigit()
    ]


def _unshare(*, many_ids: bool) -> list[str]:
    return ["unshare", *_NAMESPACES, *(["--map-auto"] if many_ids else [])]


def _try(uid: int, gid: int, *, many_ids: bool) -> str:
    """Return why the namespaces of a helper and of a build in it can not be made; empty when they can."""
    who: dict[str, Any] = {"user": uid, "group": gid, "extra_groups": []} if os.geteuid() == 0 else {}
    inner = ["unshare", "--mount", "--pid", "--net", "--ipc", "--uts", "--fork", "true"]
    try:
        ran = subprocess.run(
            [*_unshare(many_ids=many_ids), *inner], env={"PATH": _PATH}, cwd="/", capture_output=True, text=True,
            timeout=20, check=False, stdin=subprocess.DEVNULL, **who,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    return "" if ran.returncode == 0 else " ".join(ran.stderr.split()) or f"exit status {ran.returncode}"
