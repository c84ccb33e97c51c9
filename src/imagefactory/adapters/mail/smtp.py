"""Mail through an SMTP server (RFC 5321), with TLS whose certificate is verified, or STARTTLS (RFC 3207)."""

from __future__ import annotations

import contextlib
import dataclasses
import smtplib
import ssl
from email.message import EmailMessage
from pathlib import Path
from typing import Literal

from imagefactory.adapters.mail.base import MailRefused, MailUnavailable

PORTS = {"starttls": 587, "tls": 465, "none": 25}
# Answers to the command that says for whom a mail is, or to the mail itself, that another attempt does not change.
_PERMANENT = range(500, 600)


@dataclasses.dataclass(frozen=True)
class SmtpMailer:
    """Opens a connection for each mail and closes it. Without `user` it does not sign in.

    `password_file` is read for each mail, so that a new password needs no restart. `ca_file` adds trust in a certificate
    authority of one's own. `timeout` is in seconds and holds for each answer of the server.
    """

    host: str
    port: int | None = None
    security: Literal["starttls", "tls", "none"] = "starttls"
    user: str = ""
    password: str = dataclasses.field(default="", repr=False)
    password_file: Path | None = None
    timeout: float = 15.0
    ca_file: Path | None = None

    def send(self, message: EmailMessage) -> None:
        try:
            server = self._connect()
            try:
                server.send_message(message)
            finally:
                # After the server took the mail, nothing that goes wrong may look as if it had not.
                with contextlib.suppress(smtplib.SMTPException, OSError):
                    server.quit()
                server.close()
        except smtplib.SMTPRecipientsRefused as error:
            code, text = next(iter(error.recipients.values()))
            raise _answered(code, text) from None
        except (smtplib.SMTPSenderRefused, smtplib.SMTPDataError) as error:
            raise _answered(error.smtp_code, error.smtp_error) from None
        except smtplib.SMTPNotSupportedError as error:
            # Signing in, or an address beyond ASCII, that this server does not know: a matter of its configuration.
            raise MailUnavailable(
                _line(f"The mail server {self.host} cannot do what is asked of it: {error}")
            ) from None
        except smtplib.SMTPAuthenticationError as error:
            raise MailUnavailable(
                _line(f"The mail server {self.host} does not accept the user name or password ({error.smtp_code}).")
            ) from None
        except smtplib.SMTPResponseException as error:
            raise MailUnavailable(
                _line(f"The mail server {self.host} answered {error.smtp_code} {_text(error.smtp_error)}")
            ) from None
        except ssl.SSLCertVerificationError as error:
            raise MailUnavailable(
                _line(f"The certificate of the mail server {self.host} cannot be trusted: {error.verify_message}.")
            ) from None
        except (smtplib.SMTPException, OSError) as error:
            raise MailUnavailable(_line(f"The mail server {self.host} does not answer: {error}")) from None

    def _connect(self) -> smtplib.SMTP:
        port, context = self.port or PORTS[self.security], self._context()
        if self.security == "tls":
            server: smtplib.SMTP = smtplib.SMTP_SSL(self.host, port, timeout=self.timeout, context=context)
        else:
            server = smtplib.SMTP(self.host, port, timeout=self.timeout)
        try:
            if self.security == "starttls":
                server.starttls(context=context)
            if self.user:
                server.login(self.user, self._password())
        except BaseException:
            server.close()
            raise
        return server

    def _context(self) -> ssl.SSLContext:
        context = ssl.create_default_context()
        if self.ca_file is not None:
            try:
                context.load_verify_locations(self.ca_file)
            except OSError:
                raise MailUnavailable(f"The file {self.ca_file} holds no certificate that can be read.") from None
        return context

    def _password(self) -> str:
        if self.password_file is None:
            return self.password
        try:
            return self.password_file.read_text().rstrip("\n")
        except (OSError, UnicodeDecodeError):
            raise MailUnavailable(
                f"The file {self.password_file} with the password of the mail server cannot be read."
            ) from None


def _text(answer: bytes | str) -> str:
    return answer.decode("utf-8", "replace") if isinstance(answer, bytes) else answer


def _line(text: str) -> str:
    return " ".join(text.split())[:400]


def _answered(code: int, answer: bytes | str) -> MailRefused | MailUnavailable:
    line = _line(f"The mail server answered {code} {_text(answer)}")
    return MailRefused(line) if code in _PERMANENT else MailUnavailable(line)
