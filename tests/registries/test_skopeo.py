"""Copies to and from a real registry with skopeo: byte for byte, with a password nobody sees, each failure with its cause."""

from __future__ import annotations

import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
import yaml

from imagefactory.adapters.registries.layout import read_image
from imagefactory.adapters.registries.skopeo import CopyFailed, pull, push
from tests.registries.test_secrets_and_tokens import layout_with
from tests.sources.servers import GitHttpServer, free_port, self_signed, shown_to_others

pytestmark = pytest.mark.real
PASSWORD = "grant-of-the-dispatcher"


@pytest.fixture
def layout(tmp_path: Path) -> Path:
    where = tmp_path / "made"
    where.mkdir()
    return layout_with(where, b"content of a file")


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[str]:
    """Run a registry that lets in whoever has the password, and yield its host."""
    host = f"localhost:{free_port()}"
    # bcrypt is the only hash that the registry takes; perl, which Debian always has, makes it with libcrypt.
    salt = "$2y$05$abcdefghijklmnopqrstuu"
    made = subprocess.run(
        ["perl", "-e", "print crypt($ARGV[0], $ARGV[1])", PASSWORD, salt], capture_output=True, text=True, check=True
    )
    (tmp_path / "htpasswd").write_text(f"token:{made.stdout}\n")
    config = {
        "version": 0.1,
        "log": {"level": "error", "accesslog": {"disabled": True}},
        "storage": {"filesystem": {"rootdirectory": str(tmp_path / "registry")}},
        "http": {"addr": host, "secret": "test"},
        "auth": {"htpasswd": {"realm": "test", "path": str(tmp_path / "htpasswd")}},
    }
    (tmp_path / "registry.yml").write_text(yaml.safe_dump(config))
    with subprocess.Popen(
        ["docker-registry", "serve", str(tmp_path / "registry.yml")],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as server:
        try:
            deadline = time.monotonic() + 30
            while not _answers(host):
                assert time.monotonic() < deadline, "the registry does not answer"
                time.sleep(0.02)
            yield host
        finally:
            server.kill()


def _answers(host: str) -> bool:
    try:
        return httpx.get(f"http://{host}/v2/").status_code == 401
    except httpx.HTTPError:
        return False


def failed(copy: Callable[[], str]) -> CopyFailed:
    """Return why a copy failed, after checking that it is a sentence and shows no password."""
    with pytest.raises(CopyFailed) as caught:
        copy()
    assert PASSWORD not in str(caught.value)
    assert str(caught.value).endswith(".")
    assert "level=" not in str(caught.value)
    return caught.value


def test_an_image_is_pushed_and_pulled_back_byte_for_byte(registry: str, layout: Path, tmp_path: Path) -> None:
    image = read_image(layout)
    for _ in range(2):  # a second push changes nothing
        assert push(layout, "latest", f"{registry}/team/app:1", registry, password=PASSWORD, tls=False) == image.digest
    back = tmp_path / "back"
    assert pull(f"{registry}/team/app:1", registry, back, password=PASSWORD, tls=False) == image.digest
    assert read_image(back).digest == image.digest
    by_digest = tmp_path / "by-digest"
    digest = f"{registry}/team/app@{image.digest}"
    assert pull(digest, registry, by_digest, password=PASSWORD, tls=False) == image.digest


def test_an_image_that_is_not_there_is_unknown(registry: str, tmp_path: Path) -> None:
    for name in ("team/none:1", "tls/denied:eof"):
        reference = f"{registry}/{name}"
        error = failed(partial(pull, reference, registry, tmp_path / "x", password=PASSWORD, tls=False))
        assert error.code == "unknown_image"
        assert name in str(error)


def test_a_wrong_password_is_denied(registry: str, layout: Path, tmp_path: Path) -> None:
    reference = f"{registry}/a/b:1"
    for password in ("wrong", None):
        error = failed(partial(pull, reference, registry, tmp_path / "x", password=password, tls=False))
        assert error.code == "denied"
    error = failed(lambda: push(layout, "latest", f"{registry}/a/b:1", registry, password="wrong", tls=False))
    assert error.code == "denied"


def test_a_registry_that_is_away_is_unreachable(layout: Path, tmp_path: Path) -> None:
    with socket.socket() as held:  # bound and not listening: nobody else can answer there
        held.bind(("127.0.0.1", 0))
        host = f"localhost:{held.getsockname()[1]}"
        error = failed(lambda: pull(f"{host}/a/b:1", host, tmp_path / "x", password=PASSWORD, tls=False))
    assert error.code == "unreachable"
    assert "try again later" in str(error)


@pytest.mark.parametrize(
    ("status", "code"), [(500, "unreachable"), (503, "unreachable"), (403, "denied"), (418, "failed")]
)
def test_what_a_server_in_trouble_answers_is_told_from_a_refusal(tmp_path: Path, status: int, code: str) -> None:
    with answering(status) as host:
        assert failed(lambda: pull(f"{host}/a/b:1", host, tmp_path / "x", password=None, tls=False)).code == code


def test_a_certificate_that_nobody_vouches_for_is_the_operators_matter(tmp_path: Path) -> None:
    with GitHttpServer(tmp_path, tls=self_signed(tmp_path)) as server:
        host = f"localhost:{urlsplit(server.url).port}"
        error = failed(lambda: pull(f"{host}/a/b:1", host, tmp_path / "x", password=None, tls=True))
    assert error.code == "untrusted"
    assert "certs.d" in str(error)


def test_a_copy_that_takes_too_long_is_stopped(tmp_path: Path) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        host = f"localhost:{silent.getsockname()[1]}"
        error = failed(lambda: pull(f"{host}/a/b:1", host, tmp_path / "x", password=None, tls=False, seconds=1))
    assert error.code == "unreachable"
    assert "longer than 1 seconds" in str(error)


def test_no_process_shows_the_password_and_no_file_keeps_it(
    layout: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    private = tmp_path / "private"
    private.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(private))
    leaks: list[str] = []
    modes: list[int] = []

    def look() -> None:
        leaks.extend(shown_to_others(PASSWORD))
        modes.extend(path.stat().st_mode & 0o777 for path in private.glob("if-auth-*"))

    with answering(403, look) as host:
        failed(lambda: push(layout, "latest", f"{host}/a/b:1", host, password=PASSWORD, tls=False))
    assert modes
    assert set(modes) == {0o600}
    assert leaks == []
    assert list(private.iterdir()) == []


class answering:  # noqa: N801 - used like a function
    """A server that answers everything with one status, after calling `look`; as a context it gives its host."""

    def __init__(self, status: int, look: Callable[[], None] = lambda: None) -> None:
        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *_: Any) -> None:
                pass

            def do_GET(self) -> None:
                look()
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            do_HEAD = do_POST = do_PUT = do_GET  # noqa: N815 - the names are http.server's

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)

    def __enter__(self) -> str:
        self._thread.start()
        return f"localhost:{self._server.server_address[1]}"

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)
