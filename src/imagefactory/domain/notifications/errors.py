"""What can go wrong here."""

from __future__ import annotations

from imagefactory.kernel.errors import NotFound


class NoticeNotFound(NotFound):
    def __init__(self) -> None:
        super().__init__("notification")
