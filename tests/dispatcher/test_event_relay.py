"""The script between registry and web's socket: one address, messages that wait for web, and nothing left behind."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import socket
import socketserver
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
import yaml

from imagefactory.adapters.registries.events import shared_secret
from imagefactory.entry.up import registry
from imagefactory.executors.fake import write_layout
from tests.dispatcher.waiting import wait_for

pytestmark = pytest.mark.real


class Web(socketserver.ThreadingUnixStreamServer):
    """Takes messages on a socket, as web does, and remembers them."""

    daemon_threads = True

    def __init__(self, path: Path) -> None:
        self.seen: list[tuple[str, str, bytes]] = []
        super().__init__(str(path), _Handler)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def stop(self) -> None:
        self.shutdown()
        self.server_close()


class _Handler(BaseHTTPRequestHandler):
    server: Web

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.seen.append((self.path, self.headers.get("Authorization", ""), body))
        self.send_response(202)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def address_string(self) -> str:
        return "socket"

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        """Say nothing."""


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Return a directory with a registry's configuration, open to everybody, with our notifications."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    told = registry.notifications("secret")
    told["endpoints"][0]["backoff"] = "200ms"
    config = {
        "version": 0.1,
        "log": {"level": "error", "accesslog": {"disabled": True}},
        "storage": {"filesystem": {"rootdirectory": str(tmp_path / "data")}},
        "http": {"addr": f"127.0.0.1:{port}", "secret": "test"},
        "notifications": told,
    }
    (tmp_path / "registry.yml").write_text(yaml.safe_dump(config))
    return tmp_path


@contextlib.contextmanager
def started(place: Path) -> Iterator[tuple[subprocess.Popen[bytes], str, str]]:
    """Run the script; yields it, the registry's address and the relay's."""
    script = Path(registry.__file__).with_name("registry_with_events.py")
    argv = [str(script), str(place / "registry.yml"), str(place / "web.sock"), "docker-registry", "serve"]
    address = yaml.safe_load((place / "registry.yml").read_text())["http"]["addr"]
    with subprocess.Popen([sys.executable, "-I", "-S", *argv], stderr=subprocess.DEVNULL) as running:
        try:
            wait_for(lambda: answers(f"http://{address}/v2/"), 20)
            live = yaml.safe_load((place / "registry.yml.live").read_text())
            yield running, address, live["notifications"]["endpoints"][0]["url"]
        finally:
            running.terminate()
            running.wait(20)


def answers(url: str) -> bool:
    with contextlib.suppress(httpx.HTTPError):
        return httpx.get(url).status_code == 200
    return False


def pushed(web: Web) -> list[dict[str, Any]]:
    return [event for _, _, body in web.seen for event in json.loads(body)["events"]]


def test_an_event_waits_until_web_is_there_and_carries_the_secret(place: Path) -> None:
    write_layout(place / "image", "one")
    with started(place) as (_, address, _url):
        subprocess.run(
            ["skopeo", "--insecure-policy", "copy", "--dest-tls-verify=false", f"oci:{place}/image:latest",
             f"docker://{address}/a/b:v1"],
            check=True, capture_output=True,
        )  # fmt: skip
        web = Web(place / "web.sock")
        try:
            wait_for(lambda: web.seen, 30)
            (path, shown, _), *_ = web.seen
            assert (path, shown) == ("/internal/registry-events", f"Bearer {shared_secret('secret')}")
            (event,) = pushed(web)
            assert (event["action"], event["target"]["repository"], event["target"]["tag"]) == ("push", "a/b", "v1")
        finally:
            web.stop()


def test_nothing_else_of_web_can_be_reached_through_it(place: Path) -> None:
    web = Web(place / "web.sock")
    with started(place) as (_, _address, url):
        base = url.removesuffix("/internal/registry-events")
        assert base.startswith("http://127.0.0.1:")
        assert httpx.post(f"{base}/internal/stream-grant", content=b"{}").status_code == 404
        assert httpx.post(f"{url}?x=1", content=b"{}").status_code == 404
        assert httpx.get(url).status_code == 501
        asking = http.client.HTTPConnection(base.removeprefix("http://"), timeout=20)
        asking.putrequest("POST", "/internal/registry-events")
        asking.putheader("Content-Length", "99999999")
        asking.endheaders()
        assert asking.getresponse().status == 404
        asking.close()
        assert web.seen == []
        assert httpx.post(url, content=b"{}", headers={"Authorization": "Bearer x"}).status_code == 202
        assert web.seen == [("/internal/registry-events", "Bearer x", b"{}")]
        web.stop()
        (place / "web.sock").unlink()
        assert httpx.post(url, content=b"{}").status_code == 503


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_the_registry_ends_with_the_script(place: Path, number: signal.Signals) -> None:
    with started(place) as (running, _, _url):
        (child,) = psutil.Process(running.pid).children()
        assert child.name() == "docker-registry"
        os.kill(running.pid, number)
        running.wait(20)
        wait_for(lambda: not child.is_running() or child.status() == psutil.STATUS_ZOMBIE, 20)


def test_the_script_ends_with_the_registry(place: Path) -> None:
    with started(place) as (running, _, _url):
        psutil.Process(running.pid).children()[0].kill()
        assert running.wait(20) == 128 + signal.SIGKILL
