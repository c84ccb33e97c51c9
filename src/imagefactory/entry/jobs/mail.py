"""The jobs that send e-mail, with the server that the settings name."""

from __future__ import annotations

import uuid

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


def send(mail_id: str) -> None:
    """Send one mail, right after what it tells of is committed."""
    sending.send_mail(uuid.UUID(mail_id), mailer())


def send_due() -> None:
    """Send what could not be sent before; run every minute."""
    sending.send_due(mailer())
