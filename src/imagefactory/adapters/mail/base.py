"""What the factory asks of a way to send e-mail."""

from __future__ import annotations

from email.message import EmailMessage
from typing import Protocol


class MailRefused(Exception):
    """The server will never take this mail: trying again is no use. The message says what it answered, in one line."""


class MailUnavailable(Exception):
    """The server is away, busy, or does not let the factory in: trying later is right. The message is one line."""


class Mailer(Protocol):
    """Hands one mail over. Each call is independent of the others, from any thread."""

    def send(self, message: EmailMessage) -> None:
        """Send a composed message to the one address in its To header.

        Returns once the server has taken responsibility. Raises MailRefused and MailUnavailable.
        """
        ...
