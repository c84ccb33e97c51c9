"""Keeps a degraded helper: `python -m imagefactory.executors.local.keeper --socket S --builds DIR`.

The helper is process 1 of its own pid namespace, so its end is the end of every build below it. unshare(1), its
parent, hears no signal but SIGKILL; so this process hears them, asks the helper to end its builds in good
order, and after a short grace kills all of it. Killed itself, it takes unshare along, and that the helper.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from imagefactory.executors.local.degraded import DegradedRefused, degraded_helper, ground

GRACE_SECONDS = 5.0
_HEARD = {signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD}
_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36
_LIBC = ctypes.CDLL(None, use_errno=True)


def main() -> int:
    """Run the helper until it ends or a signal asks; returns 2 when it must not or can not be started."""
    parser = argparse.ArgumentParser(description="Runs the runner helper without root, with fewer walls.")
    parser.add_argument("--socket", type=Path, required=True)
    parser.add_argument("--builds", type=Path, required=True)
    given = parser.parse_args()
    found = ground(os.geteuid(), os.getegid())
    try:
        command = degraded_helper(socket=given.socket, builds=given.builds, many_ids=found.many_ids)
    except DegradedRefused as error:
        sys.stderr.write(f"{error}\n")
        return 2
    if found.problem:
        sys.stderr.write(
            f"This user can make no user namespaces ({found.problem}), so no build can run. `imagefactory doctor` "
            "says what to do.\n"
        )
        return 2
    return keep(command)


def keep(command: list[str]) -> int:
    """Run the command, which starts one child in a namespace, and return its exit status when all of it is gone."""
    # What unshare leaves when it is killed becomes a child of this process, which can then wait for its end.
    _LIBC.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    # Blocked before the start, so that a stop in the middle of it waits until it is heard.
    signal.pthread_sigmask(signal.SIG_BLOCK, _HEARD)
    starter = subprocess.Popen(command, preexec_fn=_begin)  # noqa: PLW1509 - two system calls, and one thread
    while signal.sigwait(_HEARD) == signal.SIGCHLD:
        _reap(starter)
        code = starter.poll()
        if code is not None:
            _end_the_rest()
            return code
    deadline = time.monotonic() + GRACE_SECONDS
    for child in _children(starter.pid):
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, signal.SIGTERM)
    while starter.poll() is None and time.monotonic() < deadline:
        time.sleep(0.02)
    starter.kill()
    starter.wait()
    _end_the_rest()
    return 0


def _begin() -> None:
    """In the child, before it becomes the command: hear signals again, and die with the keeper."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _HEARD)
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def _children(pid: int) -> list[int]:
    with contextlib.suppress(OSError):
        return [int(p) for p in Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()]
    return []


def _reap(starter: subprocess.Popen[bytes]) -> None:
    """Take the ends of orphans, but not that of `starter`, which belongs to its own object."""
    for pid in _children(os.getpid()):
        if pid != starter.pid:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, os.WNOHANG)


def _end_the_rest() -> None:
    """Kill what is left and wait until the kernel has emptied the namespace."""
    for pid in _children(os.getpid()):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    with contextlib.suppress(ChildProcessError):
        while True:
            os.waitpid(-1, 0)


if __name__ == "__main__":
    sys.exit(main())
