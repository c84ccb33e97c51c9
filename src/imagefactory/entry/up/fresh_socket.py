"""A script that removes a stale socket and becomes the program behind it: `fresh_socket.py SOCKET PROGRAM
ARGUMENT...`.

A program that was killed leaves its socket's file behind, and most cannot listen on it again. It runs before
every start, so it imports nothing but the standard library's first names (15 ms).
"""

import os
import sys


def main() -> None:
    socket, *command = sys.argv[1:]
    try:
        os.unlink(socket)  # noqa: PTH108 - pathlib would triple this script's time
    except FileNotFoundError:
        pass
    os.execv(command[0], command)  # noqa: S606 - becoming that program is the purpose


if __name__ == "__main__":
    main()
