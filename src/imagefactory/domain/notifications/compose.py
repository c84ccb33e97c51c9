"""The e-mail itself: headers, plain text, and simple HTML that loads nothing."""

from __future__ import annotations

import email.utils
import hashlib
import html
import textwrap
import uuid
from collections.abc import Sequence
from email.headerregistry import Address
from email.message import EmailMessage
from urllib.parse import urlsplit

from imagefactory.domain.notifications.message import MAX_NAME, MAX_SUBJECT, is_address, one_line
from imagefactory.domain.notifications.states import ALWAYS_MAILED, group_of
from imagefactory.kernel import env

_SENDER = "Image Factory"


def compose(
    *,
    event_id: uuid.UUID,
    kind: str,
    address: str,
    name: str,
    subject: str,
    paragraphs: Sequence[str],
    action: tuple[str, str] | None,
    has_account: bool,
) -> EmailMessage:
    """Return the mail to one address; its Message-ID is the same each time, so that a repeated one can be recognised.

    Raises ValueError when the address cannot stand in a header.
    """
    settings = env.get()
    if not is_address(address):
        raise ValueError("this address cannot stand in the header of a mail")
    local, _, domain = address.rpartition("@")
    try:
        to = Address(one_line(name, MAX_NAME), local, domain.encode("idna").decode())
    except (UnicodeError, ValueError, IndexError) as error:
        raise ValueError("this address cannot stand in the header of a mail") from error
    message = EmailMessage()
    message["From"] = Address(_SENDER, addr_spec=settings.mail_sender)
    message["To"] = to
    message["Subject"] = one_line(subject, MAX_SUBJECT)
    message["Date"] = email.utils.format_datetime(email.utils.localtime())
    message["Message-ID"] = message_id(event_id, address)
    # RFC 3834: no out-of-office replies to a machine.
    message["Auto-Submitted"] = "auto-generated"
    link = (action[0], f"{settings.public_url}{action[1]}") if action else None
    reasons = _reasons(kind, has_account, settings.public_url)
    message.set_content(_text(paragraphs, link, reasons))
    message.add_alternative(_html(subject, paragraphs, link, reasons), subtype="html")
    return message


def message_id(event_id: uuid.UUID, address: str) -> str:
    """Return the Message-ID of an event's mail to an address; it gives away neither."""
    digest = hashlib.sha256(f"{event_id}:{address.lower()}".encode()).hexdigest()[:40]
    return f"<{digest}@{urlsplit(env.get().public_url).hostname}>"


def _reasons(kind: str, has_account: bool, public_url: str) -> list[str]:
    """Return why this mail came, and how to get no more of its kind."""
    if not has_account:
        return [f"Sent by the Image Factory at {public_url}. If you did not expect it, you can leave it unanswered."]
    if group_of(kind) in ALWAYS_MAILED:
        return [f"Sent by the Image Factory at {public_url}, as it is about the security of your account."]
    return [f"Sent by the Image Factory at {public_url}. Choose what you get by e-mail: {public_url}/me/notifications"]


def _text(paragraphs: Sequence[str], link: tuple[str, str] | None, reasons: Sequence[str]) -> str:
    parts = [textwrap.fill(p, 76, break_long_words=False, break_on_hyphens=False) for p in paragraphs]
    if link:
        parts.append(f"{link[0]}:\n{link[1]}")
    parts.append("-- \n" + "\n".join(reasons))
    return "\n\n".join(parts) + "\n"


def _html(subject: str, paragraphs: Sequence[str], link: tuple[str, str] | None, reasons: Sequence[str]) -> str:
    """Return the page: no colours but the reader's own, so that it is as readable in the dark."""
    lines = [f"<p>{html.escape(p)}</p>" for p in paragraphs]
    if link:
        label, url = html.escape(link[0]), html.escape(link[1])
        button = "display:inline-block;padding:8px 16px;border:1px solid;border-radius:6px;font-weight:600"
        lines.append(f'<p><a style="{button}" href="{url}">{label}</a></p>')
        lines.append(f'<p style="font-size:13px;overflow-wrap:anywhere">Or open this address: {url}</p>')
    lines.append('<hr style="border:0;border-top:1px solid">')
    lines += [f'<p style="font-size:13px">{html.escape(r)}</p>' for r in reasons]
    head = '<meta charset="utf-8"><meta name="color-scheme" content="light dark">'
    body = "max-width:600px;font:15px/1.5 system-ui,sans-serif"
    return (
        f'<!doctype html>\n<html lang="en"><head>{head}<title>{html.escape(subject)}</title></head>\n'
        f'<body style="{body}">\n' + "\n".join(lines) + "\n</body></html>\n"
    )
