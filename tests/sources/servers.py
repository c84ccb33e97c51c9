"""Git servers of a test's own: `git http-backend` behind Python's HTTP server, and a real sshd with keys of its own."""

from __future__ import annotations

import base64
import contextlib
import datetime as dt
import os
import pwd
import shutil
import socket
import ssl
import subprocess
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self

import psutil
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

SSHD = shutil.which("sshd", path=f"{os.environ.get('PATH', '')}:/usr/sbin")


def git(where: Path, *arguments: str) -> str:
    """Run git as a fixed person, without anybody's configuration, and return what it says."""
    env = {"PATH": os.environ["PATH"], "HOME": str(where), "GIT_CONFIG_NOSYSTEM": "1"}
    who = ["-c", "user.name=Ada", "-c", "user.email=ada@example.test"]
    done = subprocess.run(["git", *who, *arguments], cwd=where, env=env, check=True, capture_output=True, text=True)
    return done.stdout.strip()


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def shown_to_others(secret: str) -> list[str]:
    """Return the processes that have this text in their arguments or environment, which others may read."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            text = Path(f"/proc/{process.pid}/cmdline").read_bytes() + Path(f"/proc/{process.pid}/environ").read_bytes()
            if secret.encode() in text:
                found.append(f"{process.pid} {process.name()}")
    return found


class GitHttpServer:
    """Serves the repositories below a directory. With a password, nobody enters without it.

    `answer` is a status that every request gets instead, and `location` goes with it. `asked` counts requests that came
    in with the password, `leaks` names processes that showed it while they waited for the answer.
    """

    def __init__(self, root: Path, *, username: str = "ada", password: str = "", tls: tuple[Path, Path] | None = None):
        self.username, self.password = username, password
        self.answer, self.location = 0, ""
        self.asked, self.leaks = 0, list[str]()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self, root))
        if tls is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*tls)
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self.port = int(self._server.server_address[1])
        self.url = f"http{'s' if tls else ''}://localhost:{self.port}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)


def _handler(owner: GitHttpServer, root: Path) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: Any) -> None:
            pass

        def do_GET(self) -> None:
            if owner.answer:
                self._refuse(owner.answer, "Location", owner.location)
            elif not self._known():
                self._refuse(401, "WWW-Authenticate", 'Basic realm="git"')
            else:
                self._backend()

        do_POST = do_GET  # noqa: N815 - the names are http.server's

        def _known(self) -> bool:
            if not owner.password:
                return True
            wanted = base64.b64encode(f"{owner.username}:{owner.password}".encode()).decode()
            if self.headers.get("Authorization") != f"Basic {wanted}":
                return False
            owner.asked += 1
            owner.leaks += shown_to_others(owner.password) + shown_to_others(wanted)
            return True

        def _refuse(self, status: int, header: str, value: str) -> None:
            self.send_response(status)
            self.send_header(header, value)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def _backend(self) -> None:
            """Hand the request to git as a CGI program (git-http-backend(1), RFC 3875)."""
            path, _, query = self.path.partition("?")
            env = {
                "PATH": os.environ["PATH"], "GIT_PROJECT_ROOT": str(root), "GIT_HTTP_EXPORT_ALL": "1",
                "GIT_CONFIG_NOSYSTEM": "1", "HOME": str(root), "REQUEST_METHOD": self.command, "PATH_INFO": path,
                "QUERY_STRING": query, "CONTENT_TYPE": self.headers.get("Content-Type", ""),
                "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
                "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
            }  # fmt: skip
            body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
            said = subprocess.run(["git", "http-backend"], env=env, input=body, capture_output=True, check=False).stdout
            head, _, content = said.partition(b"\r\n\r\n")
            headers = [line.split(": ", 1) for line in head.decode().split("\r\n") if ": " in line]
            self.send_response(int(next((v.split()[0] for n, v in headers if n == "Status"), "200")))
            for name, value in headers:
                if name != "Status":
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

    return Handler


class SshServer:
    """An sshd on a free port. Whoever logs in with the key runs what git asks for, after a look at all processes.

    `key` is the private key that opens it, `known_hosts` the line of its host key; `dump` holds the arguments and
    environments of every process at the time of the last login.
    """

    def __init__(self, place: Path) -> None:
        place.mkdir()
        self.user, self.port = pwd.getpwuid(os.geteuid()).pw_name, free_port()
        self.url, self.dump = f"ssh://{self.user}@localhost:{self.port}", place / "dump"
        host_key, client_key = make_key(place / "host"), make_key(place / "client")
        self.key = client_key.read_text()
        self.known_hosts = "localhost " + host_key.with_suffix(".pub").read_text()
        look = place / "look"
        look.write_text(
            f"#!/bin/sh\ncat /proc/[0-9]*/cmdline /proc/[0-9]*/environ >{self.dump} 2>/dev/null\n"
            'exec sh -c "$SSH_ORIGINAL_COMMAND"\n'
        )
        look.chmod(0o755)
        allowed = place / "authorized_keys"
        allowed.write_text(f'restrict,command="{look}" ' + client_key.with_suffix(".pub").read_text())
        self._config, self._log = place / "sshd_config", place / "sshd.log"
        self._config.write_text(
            f"ListenAddress 127.0.0.1:{self.port}\nHostKey {host_key}\nAuthorizedKeysFile {allowed}\nPidFile none\n"
            "StrictModes no\nUsePAM no\nPasswordAuthentication no\nKbdInteractiveAuthentication no\n"
            "PermitRootLogin yes\nAcceptEnv GIT_PROTOCOL\n"
        )
        self._process: subprocess.Popen[bytes] | None = None
        self._separation = Path("/run/sshd")  # sshd(8) wants it when it runs as root; Debian's unit makes it
        self._made = False

    def __enter__(self) -> Self:
        assert SSHD is not None, "sshd is missing: apt-get install openssh-server"
        if os.geteuid() == 0 and not self._separation.exists():
            self._separation.mkdir(mode=0o755)
            self._made = True
        with self._log.open("ab") as log:
            self._process = subprocess.Popen([SSHD, "-D", "-e", "-f", str(self._config)], stderr=log, stdout=log)
        deadline = time.monotonic() + 20
        while not self._answers():
            assert time.monotonic() < deadline, self._log.read_text()
            time.sleep(0.02)
        return self

    def _answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), 1) as sock:
                return sock.recv(4) == b"SSH-"
        except OSError:
            return False

    def __exit__(self, *_: object) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(10)
        if self._made:
            with contextlib.suppress(OSError):
                self._separation.rmdir()


def make_key(path: Path, passphrase: str = "") -> Path:
    """Make an SSH key pair and return the path of the private one."""
    argv = ["ssh-keygen", "-q", "-t", "ed25519", "-N", passphrase, "-C", "test", "-f", str(path)]
    subprocess.run(argv, check=True, capture_output=True)
    return path


def self_signed(place: Path) -> tuple[Path, Path]:
    """Make a certificate for localhost that nobody trusts; return it and its key."""
    key, name = (
        ec.generate_private_key(ec.SECP256R1()),
        x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")]),
    )
    moment = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(moment - dt.timedelta(days=1))
        .not_valid_after(moment + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    certificate, private = place / "server.crt", place / "server.key"
    certificate.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    private.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return certificate, private
