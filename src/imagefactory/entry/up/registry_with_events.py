"""A script that runs the registry and carries its events to web's socket: `registry_with_events.py CONFIG SOCKET PROGRAM ...`.

It opens one address to the registry, on a loopback port of the moment, and nothing else of web; who sends there without
the shared secret gets web's 404. Standard library only, so that it starts in no time.
"""

import contextlib
import ctypes
import http.client
import os
import signal
import socket
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import FrameType

_PATH = "/internal/registry-events"
_PLACE = "http://events.invalid"
_LARGEST = 4 * 1024 * 1024
_SECONDS = 15.0
_DIE_WITH_PARENT = 1  # PR_SET_PDEATHSIG, prctl(2)


class _Web(http.client.HTTPConnection):
    """A connection to web over its socket."""

    def __init__(self, path: str) -> None:
        super().__init__("web", timeout=_SECONDS)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(_SECONDS)
        self.sock.connect(self._path)


class Relay(BaseHTTPRequestHandler):
    """Passes a message on to web and answers with web's status; whatever else is asked for is not there."""

    protocol_version = "HTTP/1.1"
    timeout = _SECONDS
    web = ""

    def do_POST(self) -> None:
        length = self.headers.get("Content-Length", "")
        if self.path != _PATH or not length.isdigit() or int(length) > _LARGEST:
            self.close_connection = True
            self._answer(404)
            return
        body = self.rfile.read(int(length))
        kept = ("Authorization", "Content-Type")
        connection = _Web(self.web)
        try:
            headers = {name: self.headers[name] for name in kept if name in self.headers}
            connection.request("POST", _PATH, body, {"Host": "localhost", **headers})
            status = connection.getresponse().status
        except (OSError, http.client.HTTPException):
            status = 503  # web is away: the registry keeps the message and sends it again
        finally:
            connection.close()
        self._answer(status)

    def _answer(self, status: int) -> None:
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name that the base class has
        """Say nothing: web has a log of its own."""


def _write(config: str, address: str) -> str:
    """Write the configuration with the true address beside the given one, and return its path."""
    live = f"{config}.live"
    with open(config, encoding="utf-8") as source:  # noqa: PTH123 - pathlib would double this script's time
        text = source.read().replace(_PLACE, address + _PATH)
    with contextlib.suppress(FileNotFoundError):
        os.unlink(live)  # noqa: PTH108 - see above
    fd = os.open(live, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(fd, "w", encoding="utf-8") as out:
        out.write(text)
    return live


def _die_with_parent() -> None:
    """Make sure that no registry outlives this script, which holds its place with the supervisor."""
    ctypes.CDLL(None).prctl(_DIE_WITH_PARENT, signal.SIGKILL)


def main() -> int:
    """Run until the registry ends, and return its exit status."""
    config, Relay.web, *command = sys.argv[1:]
    server = ThreadingHTTPServer(("127.0.0.1", 0), Relay)
    live = _write(config, f"http://127.0.0.1:{server.server_address[1]}")
    # The thread that starts the child must live as long as the script: the kernel counts threads as parents.
    with subprocess.Popen([*command, live], preexec_fn=_die_with_parent) as registry:  # noqa: PLW1509 - no thread yet

        def pass_on(number: int, _frame: FrameType | None) -> None:
            registry.send_signal(number)

        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, pass_on)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        code = registry.wait()
    server.server_close()
    return code if code >= 0 else 128 - code


if __name__ == "__main__":
    sys.exit(main())
