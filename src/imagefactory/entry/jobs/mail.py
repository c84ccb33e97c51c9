"""The jobs that send e-mail, with the server that the settings name."""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Iterator

from django.db import close_old_connections

from imagefactory.adapters.mail.smtp import SmtpMailer
from imagefactory.domain.notifications import sending
from imagefactory.kernel import env


def mailer() -> SmtpMailer | None:
    """Return the way to send mail, or None when no server is configured."""
    settings = env.get()
    if not settings.mail_host:
        return None
    return SmtpMailer(
        host=settings.mail_host,
        port=settings.mail_port,
        security=settings.mail_security,
        user=settings.mail_user,
        password=settings.mail_password,
        password_file=settings.mail_password_file,
        ca_file=settings.mail_ca_file,
    )


@contextlib.contextmanager
def _fresh_connection() -> Iterator[None]:
    """Let go of a database connection that is old or broken, as Django does around each request; a job has no request."""
    close_old_connections()
    try:
        yield
    finally:
        close_old_connections()


def send(mail_id: str) -> None:
    """Send one mail, right after what it tells of is committed."""
    with _fresh_connection():
        sending.send_mail(uuid.UUID(mail_id), mailer())


def send_due() -> None:
    """Send what could not be sent before; run every minute."""
    with _fresh_connection():
        sending.send_due(mailer())
