"""Run the privileged helper through sudo for an ordinary user, so that it ends whenever its starter does.

An ordinary user may not signal a process of root. So the root side reads a pipe and ends when the pipe does:
on a stop, and also when the starter is killed without a chance to say anything.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
from types import FrameType

_ROOT_SIDE = "--root-side"
_SUDO_REFUSED = 77


def _kept() -> list[str]:
    """Return the environment that the root side gets, as env(1) takes it. Settings that hold secrets stay
    here.
    """
    secret = {"IMAGEFACTORY_SECRET_KEYS", "IMAGEFACTORY_DATABASE_URL", "IMAGEFACTORY_MAIL_PASSWORD"}
    names = [name for name in os.environ if name.startswith("IMAGEFACTORY_") and name not in secret]
    return [f"{name}={os.environ[name]}" for name in (*names, "PATH", "PYTHONPATH") if name in os.environ]


def user_side() -> int:
    """Start the root side and wait for it; a signal or this process's end closes the pipe."""
    if shutil.which("sudo") is None:
        sys.stderr.write(
            "The runner helper needs sudo, which is gone, so builds wait. Install it again, or run `imagefactory down` "
            "and `imagefactory up`: then builds run degraded.\n"
        )
        return _SUDO_REFUSED
    owner = f"IMAGEFACTORY_HELPER_FOR={os.getuid()}:{os.getgid()}"
    command = [
        "sudo",
        "-n",
        "--",
        "env",
        "-i",
        *_kept(),
        owner,
        sys.executable,
        "-m",
        __spec__.name,
        _ROOT_SIDE,
    ]
    with subprocess.Popen(command, stdin=subprocess.PIPE) as child:

        def close(_signal: int, _frame: FrameType | None) -> None:
            if child.stdin:
                child.stdin.close()

        signal.signal(signal.SIGTERM, close)
        signal.signal(signal.SIGINT, close)
        code = child.wait()
    if code == 1:
        sys.stderr.write(
            "sudo did not start the runner helper, so builds wait. It must not ask for a password here: run `sudo -v` "
            "and then `imagefactory up`, or allow this command in sudoers.\n"
        )
    return code


def root_side() -> int:
    """Run the helper as a child, and end it when the pipe from the user's side closes."""
    command = [sys.executable, "-m", "imagefactory.entry.up.launch", "helper"]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL) as child:

        def watch() -> None:
            while os.read(0, 512):
                continue
            child.terminate()
            try:
                child.wait(timeout=15)
            except subprocess.TimeoutExpired:
                child.kill()

        threading.Thread(target=watch, daemon=True).start()
        return child.wait()


def main() -> int:
    return root_side() if _ROOT_SIDE in sys.argv[1:] else user_side()


if __name__ == "__main__":
    sys.exit(main())
