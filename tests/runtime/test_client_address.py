"""Whom web takes a request to come from, through a real front door: throttles count by it, and the audit trail names it."""

from __future__ import annotations

import http.server
import socketserver
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from imagefactory.entry.up import front_door, processes
from imagefactory.entry.up.site import Site
from imagefactory.kernel.env import Settings
from tests.runtime.test_configuration import _await_port, free_port

Door = Callable[[bool], str]


class _Echo(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        told = self.headers.get("X-Forwarded-For", "").encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(told)))
        self.end_headers()
        self.wfile.write(told)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
        """Stay quiet."""


@pytest.fixture
def door(tmp_path: Path) -> Iterator[Door]:
    """Return a function that starts the front door, behind a proxy or not, and says where it listens."""
    started: list[subprocess.Popen[bytes]] = []
    (tmp_path / "run").mkdir()

    def start(behind_proxy: bool) -> str:
        port = free_port()
        address = "https://factory.example" if behind_proxy else f"http://localhost:{port}"
        site = Site(Settings(data_dir=tmp_path, public_url=address, listen_port=port if behind_proxy else None), None)
        (site.run / "Caddyfile").write_text(front_door.configuration(site))
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        started.append(subprocess.Popen(front_door.argv(site), env=processes.environment(site), **quiet))  # type: ignore[call-overload]
        _await_port(port)
        return f"http://127.0.0.1:{port}/login"

    with socketserver.ThreadingUnixStreamServer(str(tmp_path / "run" / "web.sock"), _Echo) as web:
        threading.Thread(target=web.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        yield start
        web.shutdown()
    for caddy in started:
        caddy.terminate()
        caddy.wait(15)


def told(where: str, forwarded: str) -> str:
    return httpx.get(where, headers={"X-Forwarded-For": forwarded}, trust_env=False).text


def test_without_a_proxy_a_client_cannot_say_where_it_comes_from(door: Door) -> None:
    assert told(door(False), "198.51.100.7") == "127.0.0.1"


def test_behind_a_proxy_clients_are_told_apart_and_what_they_wrote_themselves_counts_for_nothing(door: Door) -> None:
    where = door(True)
    assert told(where, "203.0.113.9") == "203.0.113.9"
    assert told(where, "198.51.100.7, 203.0.113.9") == "203.0.113.9"
    assert told(where, "2001:db8::9") == "2001:db8::9"
