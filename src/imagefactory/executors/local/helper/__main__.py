"""Start the runner helper: `python -m imagefactory.executors.local.helper --socket S --builds DIR --client-uid N`."""

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
    parser.add_argument("--locks", type=Path, default=Path("/run/imagefactory-slots"))
    given = parser.parse_args()
    if os.geteuid() != 0:
        print("The runner helper needs root. Start it with sudo, or let `imagefactory up` do it.", file=sys.stderr)  # noqa: T201
        return 2
    logging.basicConfig(level=logging.INFO, format="%(asctime)s helper %(levelname)s %(message)s")
    stop_on_signal()
    gid = given.client_gid if given.client_gid >= 0 else given.client_uid
    Helper(
        path=given.socket, builds=given.builds, uid=given.client_uid, gid=gid, port=given.port, locks=given.locks
    ).serve()
    return 0


if __name__ == "__main__":
    sys.exit(main())
