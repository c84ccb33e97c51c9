"""A script that clears what a killed start left and becomes the program behind it: `fresh_socket.py SOCKET
PROGRAM ...`.

A killed program leaves its socket's file, on which most cannot listen again, and perhaps its children. This
runs before every start, so it imports nothing but the standard library's first names (20 ms).
"""

import os
import signal
import sys


def end_leftovers() -> None:
    """Kill the children of an earlier life of this process: same data directory, same name, known by their
    environment.

    The supervisor runs one process of each name, so whatever else bears the name has lost its parent.
    """
    environment = os.environ
    marks = {f"{name}={environment.get(name, '')}".encode() for name in _MARKS}
    if not all(environment.get(name) for name in _MARKS):
        return
    for entry in os.listdir("/proc"):  # noqa: PTH208 - pathlib would triple this script's time
        if not entry.isdigit() or int(entry) == os.getpid():
            continue
        try:
            with open(f"/proc/{entry}/environ", "rb") as stream:  # noqa: PTH123 - see above
                if marks <= set(stream.read(1_000_000).split(b"\0")):
                    os.kill(int(entry), signal.SIGKILL)
        except OSError:
            # Gone meanwhile, or another user's.
            continue


_MARKS = ("IMAGEFACTORY_SUPERVISED", "IMAGEFACTORY_PROCESS")


def main() -> None:
    """Become the program."""
    socket, *command = sys.argv[1:]
    end_leftovers()
    if os.path.lexists(socket):
        os.unlink(socket)  # noqa: PTH108 - see above
    os.execv(command[0], command)  # noqa: S606 - becoming that program is the purpose


if __name__ == "__main__":
    main()
