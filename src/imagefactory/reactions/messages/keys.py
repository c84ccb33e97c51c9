"""What people are told of their keys."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Iterator

from imagefactory.domain.identity import selectors as identity
from imagefactory.domain.notifications.message import Message, Recipient
from imagefactory.kernel.errors import FactoryError
from imagefactory.reactions.envelope import Envelope
from imagefactory.reactions.messages.notice import Notice


def expiring(e: Envelope) -> Iterator[Notice]:
    """Warn the owner of a key, or the contact of its service account, that it ends soon."""
    if e.tenant_id is None:
        return
    slug = identity.tenant_slug(e.tenant_id)
    if account_id := e.payload.get("service_account_id"):
        account = identity.account_contact(uuid.UUID(str(account_id)))
        if account is None:
            return  # deleted meanwhile
        whose = f"of the service account {account.name} "
        to, page = Recipient(account.email, account.name), f"/t/{slug}/settings/service-accounts/{account_id}"
    else:
        user_id = uuid.UUID(str(e.payload["user_id"]))
        try:
            actor = identity.actor_for_user(user_id, str(e.tenant_id))
        except FactoryError:
            return  # the account is off, or its person left the team, and the key works no more
        whose = ""
        to, page = Recipient(actor.email, actor.name, user_id), f"/me/keys?tenant={slug}"
    yield Notice("keys.expiring", [to], _message(e, slug, whose, page))


def _message(e: Envelope, slug: str, whose: str, page: str) -> Message:
    days, name = int(e.payload["days_left"]), e.payload["name"]
    end = dt.datetime.fromisoformat(str(e.payload["expires_at"]))
    left = "1 day" if days == 1 else f"{days} days"
    return Message(
        f"The API key {name} ends in {left}",
        [
            f"The key {name} {whose}in the team {slug}, which begins with ifk_{e.payload['prefix']}, works until "
            f"{end:%-d %B %Y, %H:%M} UTC.",
            "Rotate it: a new key takes its place, and both work while you change it where it is used. "
            "If nothing uses it any more, let it end.",
        ],
        ("Open the keys", page),
    )
