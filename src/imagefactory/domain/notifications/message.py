"""A message and whom it is for, before it takes the form of a notice or an e-mail."""

from __future__ import annotations

import dataclasses
import re
import uuid
from collections.abc import Sequence

MAX_SUBJECT = 200
MAX_PARAGRAPHS = 40
MAX_PARAGRAPH = 2000
MAX_LABEL = 80
MAX_PATH = 1000
MAX_ADDRESS = 254
MAX_NAME = 200

# C0 and C1 controls and the separators that mail programs and terminals take for the end of a line.
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
# The part before the @ in ASCII: few servers take others, and a look-alike would be another person.
_ADDRESS = re.compile(r"[^\s@<>(),;:\"\\\x00-\x1f\x7f-\U0010ffff]+@[^\s@<>(),;:\"\\\x00-\x1f\x7f]+")


@dataclasses.dataclass(frozen=True)
class Message:
    """What is said: a subject, plain paragraphs, and at most one action (the button's words, a path beginning with "/").

    When the path lets its reader in (an invitation, a confirmation), send it by e-mail only: notices are kept as they are.
    """

    subject: str
    paragraphs: Sequence[str]
    action: tuple[str, str] | None = None


@dataclasses.dataclass(frozen=True)
class Recipient:
    """Whom it is for; someone without an account has an address only."""

    email: str
    name: str = ""
    user_id: uuid.UUID | None = None


def one_line(text: str, limit: int) -> str:
    """Return the text in one line of at most `limit` characters: what people typed never becomes a header of its own."""
    line = " ".join(_CONTROL.sub(" ", text).split())
    return line if len(line) <= limit else f"{line[: limit - 1]}…"


def tidy(message: Message) -> Message:
    """Return the message within its bounds: lines and their number are cut, and end in "…".

    Raises ValueError for an action that does not lead into this factory: that is a mistake of the composer.
    """
    action = None
    if message.action is not None:
        label, path = message.action
        if not path.startswith("/") or path.startswith("//") or _CONTROL.search(path) or len(path) > MAX_PATH:
            raise ValueError("the action of a message is a path that begins with one / and has at most 1000 characters")
        action = (one_line(label, MAX_LABEL), path)
    paragraphs = [one_line(p, MAX_PARAGRAPH) for p in message.paragraphs[:MAX_PARAGRAPHS]]
    if len(message.paragraphs) > MAX_PARAGRAPHS:
        paragraphs.append("…")
    return Message(one_line(message.subject, MAX_SUBJECT), [p for p in paragraphs if p], action)


def is_address(text: str) -> bool:
    """Whether this can stand in the To header of a mail to one person."""
    return len(text) <= MAX_ADDRESS and _ADDRESS.fullmatch(text) is not None
