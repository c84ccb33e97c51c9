"""Mail that goes nowhere: kept in a list, for tests."""

from __future__ import annotations

from email.message import EmailMessage


class FakeMailer:
    """Keeps what was sent. `answer` is raised in place of sending; addresses may have answers of their own."""

    def __init__(self) -> None:
        self.sent: list[EmailMessage] = []
        self.answer: Exception | None = None
        self.answers: dict[str, Exception] = {}

    def send(self, message: EmailMessage) -> None:
        to = message["To"].addresses[0].addr_spec
        if problem := self.answers.get(to, self.answer):
            raise problem
        self.sent.append(message)
