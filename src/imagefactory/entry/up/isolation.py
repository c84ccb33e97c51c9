"""Which isolation builds get on this machine: the setting, what this user may do, and the sentences about it."""

from __future__ import annotations

import dataclasses
import functools
import os
import shutil
import subprocess
from pathlib import Path
from typing import Literal

from imagefactory.entry.up.errors import StartError
from imagefactory.entry.up.site import Site, find_account, user_name
from imagefactory.executors.base import ExecutorUnavailable
from imagefactory.executors.local import degraded
from imagefactory.executors.local.executor import LocalExecutor
from imagefactory.executors.told import NO_BOUNDARY, sentences
from imagefactory.kernel.env import Settings

SETTING = "IMAGEFACTORY_BUILD_ISOLATION"
_CAP_SYS_ADMIN = 21
_SEARCH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclasses.dataclass(frozen=True)
class Choice:
    """How the runner helper starts: `way` is root, sudo, or user (degraded). `why` is a sentence, empty for a jail.

    With a `problem` builds cannot run at all; it is a sentence that says what to do.
    """

    way: Literal["root", "sudo", "user"]
    why: str = ""
    problem: str = ""

    @property
    def level(self) -> Literal["jail", "degraded"]:
        return "degraded" if self.way == "user" else "jail"


def choose(settings: Settings) -> Choice:
    """Return how the helper starts here, as the setting wants it."""
    wanted = settings.build_isolation
    if wanted == "degraded":
        return _without_root(f"{SETTING}=degraded asks for it", wanted)
    missing = _no_root()
    if not missing:
        return Choice("root")
    if os.geteuid() != 0:
        if not (sudo := _no_sudo()):
            return Choice("sudo")
        missing = f"{missing}, and {sudo}"
    return _without_root(missing, wanted)


def check(site: Site) -> None:
    """Raise StartError when builds could not run here as the setting wants it."""
    if problem := choose(site.settings).problem:
        raise StartError(problem)


def warning(choice: Choice) -> str:
    """Return what must be said loudly before builds run; empty when they run in the jail."""
    if choice.level == "jail":
        return ""
    return (
        f"builds run DEGRADED, without their jail, because {choice.why}. Missing: a user for each build, control "
        f"groups (limits are watched, not held), a disk of limited size, any network. {NO_BOUNDARY} "
        f"For the jail start as root or let sudo work without a password; {SETTING}=jail refuses anything less."
    )


def told(choice: Choice) -> str:
    """Return the line that `doctor` says."""
    if choice.problem:
        return choice.problem
    return {
        "root": "runs as root, builds run in the jail",
        "sudo": "starts through sudo, builds run in the jail while sudo asks for no password",
        "user": f"without root: {warning(choice)}",
    }[choice.way]


def in_force(settings: Settings) -> str:
    """Ask the running helper and return a sentence on the isolation that builds get now."""
    if settings.executor == "fake":
        return "Builds: IMAGEFACTORY_EXECUTOR=fake, so nothing is really built."
    try:
        walls = LocalExecutor(settings.helper).expected(settings.build_network)
    except ExecutorUnavailable as error:
        return f"Builds: wait. {error}"
    return "Builds: " + " ".join(sentences(walls, settings.build_network))


def _without_root(why: str, wanted: str) -> Choice:
    if wanted == "jail":
        return Choice(
            "user",
            why,
            f"{SETTING}=jail wants builds in the jail, and it cannot be made: {why}. Start as root, or run `sudo -v` "
            f"first, or allow builds with fewer walls by {SETTING}=degraded.",
        )
    account = find_account(create=False)
    if os.geteuid() == 0 and account is None:
        # `up` makes the user; until then nobody's rights tell as much.
        uid, gid = 65534, 65534
    else:
        uid, gid = (account.uid, account.gid) if account else (os.geteuid(), os.getegid())
    ground = _ground(uid, gid)
    if ground.problem:
        return Choice(
            "user",
            why,
            f"No build can run here: the jail cannot be made ({why}), and this kernel gives user {user_name(uid)} no user "
            f"namespaces ({ground.problem}). As root: sysctl user.max_user_namespaces=15000; on Ubuntu also sysctl "
            "kernel.apparmor_restrict_unprivileged_userns=0; in a container start it privileged. "
            "IMAGEFACTORY_EXECUTOR=fake starts the factory without real builds.",
        )
    if not ground.many_ids:
        name = user_name(uid)
        why += (
            f"; user {name} has no subordinate ids either, so every file of an image will belong to root (as root, "
            f"once: {degraded.range_command(name)})"
        )
    return Choice("user", why)


_ground = functools.cache(degraded.ground)


def _no_root() -> str:
    """Return why this process cannot be the jail's root; empty when it can."""
    if os.geteuid() != 0:
        return "this user is not root"
    status = Path("/proc/self/status").read_text(encoding="ascii", errors="replace")
    held = next((int(line.split()[1], 16) for line in status.splitlines() if line.startswith("CapEff:")), 0)
    first = Path("/proc/self/uid_map").read_text(encoding="ascii").split()[:2]
    if not held >> _CAP_SYS_ADMIN & 1 or first != ["0", "0"]:
        return "this root may not mount (a container without privileges)"
    return ""


@functools.cache
def _no_sudo() -> str:
    """Return why sudo cannot start the helper; empty when it can, without a question."""
    sudo = shutil.which("sudo", path=_SEARCH)
    if sudo is None:
        return "sudo is not installed"
    try:
        # The shape of the real command, so that a rule for it alone in sudoers is enough.
        ran = subprocess.run(
            [sudo, "-n", "--", "env", "-i", "true"], capture_output=True, timeout=10, check=False,
            stdin=subprocess.DEVNULL,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return "sudo does not answer"
    return "" if ran.returncode == 0 else "sudo asks for a password (run `sudo -v` first) or refuses"
