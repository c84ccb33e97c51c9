"""A real SMTP server on a free port, with TLS of its own authority, for tests of e-mail."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import email
import ipaddress
import ssl
import threading
import warnings
from collections.abc import Iterator
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from typing import Any, cast

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

USER, PASSWORD = "factory", "a long mail password"


class Letterbox:
    """What the server took, and what it answers: to each recipient by address, and to the mail as a whole."""

    def __init__(self) -> None:
        self.mails: list[EmailMessage] = []
        self.raw: list[bytes] = []
        self.sign_ins: list[bytes] = []
        self.encrypted: list[bool] = []
        self.recipients: dict[str, str] = {}
        self.answer = "250 Taken"
        self.rude = False  # hangs up in place of an answer to QUIT
        self.silent = False  # takes a mail and never says so
        self.took = threading.Event()

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self, server: Any, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        answer = self.recipients.get(address, "250 OK")
        if answer.startswith("250"):
            envelope.rcpt_tos.append(address)
        return answer

    async def handle_DATA(self, server: Any, session: Session, envelope: Envelope) -> str:  # noqa: N802
        content = cast("bytes", envelope.content)
        if self.answer.startswith("250"):
            self.raw.append(content)
            self.mails.append(email.message_from_bytes(content, policy=default))
            self.encrypted.append(session.ssl is not None or server.transport.get_extra_info("ssl_object") is not None)
        self.took.set()
        if self.silent:
            await asyncio.Event().wait()
        return self.answer

    async def handle_QUIT(self, server: Any, session: Session, envelope: Envelope) -> str:  # noqa: N802
        if self.rude:
            server.transport.abort()
        return "221 Bye"

    def check(self, server: Any, session: Session, envelope: Envelope, mechanism: str, given: Any) -> AuthResult:
        assert isinstance(given, LoginPassword)
        self.sign_ins.append(given.login)
        known = (given.login, given.password) == (USER.encode(), PASSWORD.encode())
        return AuthResult(success=known, handled=False)  # not handled: the server says 535 itself


@contextlib.contextmanager
def mail_server(security: str = "none", certificate: Path | None = None) -> Iterator[tuple[Letterbox, int]]:
    """Run a server that takes mail, and yield what it took and its port; with `starttls` or `tls` one must sign in."""
    box, options, context = Letterbox(), dict[str, Any](), None
    if security != "none":
        assert certificate is not None
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(certificate)
        options = {"authenticator": box.check, "auth_required": True, "auth_require_tls": security == "starttls"}
    if security == "starttls":
        options |= {"tls_context": context, "require_starttls": True}
    loop = asyncio.new_event_loop()

    def session() -> SMTP:
        with warnings.catch_warnings():
            # That one signs in without STARTTLS: here all of it is encrypted.
            warnings.simplefilter("ignore")
            return SMTP(box, hostname="localhost", loop=loop, **options)

    # aiosmtpd's own controller wants to know the port beforehand.
    listening = loop.create_server(session, "127.0.0.1", 0, ssl=context if security == "tls" else None)
    server = loop.run_until_complete(listening)
    thread = threading.Thread(target=loop.run_forever, name="mail-server")
    thread.start()
    try:
        yield box, server.sockets[0].getsockname()[1]
    finally:
        asyncio.run_coroutine_threadsafe(_close(server), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()


async def _close(server: asyncio.Server) -> None:
    server.close()
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)


def make_certificate(directory: Path, name: str = "localhost") -> Path:
    """Write a self-signed certificate for `name` and 127.0.0.1 with its key, and return the file; it is its own authority."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = dt.datetime.now(dt.UTC)
    names: list[x509.GeneralName] = [x509.DNSName(name)]
    if name == "localhost":
        names.append(x509.IPAddress(ipaddress.ip_address("127.0.0.1")))
    made = (
        x509.CertificateBuilder().subject_name(subject).issuer_name(subject).public_key(key.public_key())
        .serial_number(x509.random_serial_number()).not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    path = directory / f"{name}.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(made.public_bytes(serialization.Encoding.PEM) + private)
    return path
