"""Start the runner helper: `python -m imagefactory.executors.local.helper --socket S --builds DIR
--client-uid N`.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
from pathlib import Path

from imagefactory.executors.local.helper.server import Helper, stop_on_signal


def main() -> int:
    """Serve until ended; exit code 2 when this is not root."""
    parser = argparse.ArgumentParser(description="Prepares the jail of each build; the one process that needs root.")
    parser.add_argument("--socket", type=Path, required=True)
    parser.add_argument("--builds", type=Path, required=True)
    parser.add_argument("--client-uid", type=int, required=True)
    parser.add_argument("--client-gid", type=int, default=-1)
    parser.add_argument("--port", type=int, default=0, help="the front door's port, reachable from builds; 0 for none")
    parser.add_argument("--locks", type=Path, help="where build slots are locked; one directory for a whole machine")
    parser.add_argument("--degraded", action="store_true", help="root of a user namespace only: fewer walls")
    given = parser.parse_args()
    outer = _outer_uid()
    if given.degraded and outer == 0:
        sys.stderr.write("Builds never run as root. Leave out --degraded, or start this as an ordinary user.\n")
        return 2
    if os.geteuid() != 0 or (outer != 0 and not given.degraded):
        sys.stderr.write("The runner helper needs root. Start it with sudo, or let `imagefactory up` do it.\n")
        return 2
    logging.basicConfig(level=logging.INFO, format="%(asctime)s helper %(levelname)s %(message)s")
    stop_on_signal()
    locks = given.locks or (given.socket.parent / "slots" if given.degraded else Path("/run/imagefactory-slots"))
    gid = given.client_gid if given.client_gid >= 0 else given.client_uid
    Helper(
        path=given.socket, builds=given.builds, uid=given.client_uid, gid=gid, port=given.port, locks=locks,
        degraded=given.degraded, host_uid=outer,
    ).serve()  # fmt: skip
    return 0


def _outer_uid() -> int:
    """Return who root of this user namespace is outside (user_namespaces(7)); 0 where there is none
    around.
    """
    inside, outside, _ = Path("/proc/self/uid_map").read_text(encoding="ascii").split()[:3]
    return int(outside) if inside == "0" else os.geteuid()


if __name__ == "__main__":
    sys.exit(main())
