"""What one was told, marking it as read, and what comes by e-mail too."""

from __future__ import annotations

import uuid
from typing import Any

from django.http import HttpRequest
from ninja import Router

from imagefactory.domain.identity.selectors import tenants_told_to
from imagefactory.domain.notifications import selectors, services
from imagefactory.entry.api import schemas as s
from imagefactory.entry.api.security import actor, needs
from imagefactory.kernel.actor import Actor
from imagefactory.kernel.errors import InvalidRequest

router = Router(tags=["notifications"])


def _tenants(a: Actor) -> list[uuid.UUID]:
    return [t.id for t in tenants_told_to(a)]


@router.get("", response=s.NotificationsOut, openapi_extra=needs("signed in"))
def list_notifications(
    request: HttpRequest, unread: bool = False, cursor: uuid.UUID | None = None, limit: int = 50
) -> Any:
    """Return one's own notifications, newest first; a key those of its tenant. Numbers end at 1000, unread at 100."""
    a = actor(request)
    tenants = _tenants(a)
    items, older = selectors.list_notices(a, tenants, unread=unread, before=cursor, limit=max(1, min(limit, 200)))
    return {
        "items": items,
        "next_cursor": older,
        "total": selectors.count_notices(a, tenants, unread=unread),
        "unread": selectors.unread_count(a, tenants),
    }


@router.post("/read", response=s.ReadOut, openapi_extra=needs("signed in"))
def mark_read(request: HttpRequest, body: s.ReadIn) -> Any:
    """Mark some or all of one's notifications as read; `read_at` of the answer undoes just this."""
    if body.all == bool(body.ids):
        raise InvalidRequest("Send the ids of the notifications that were read, or all: true for all of them.")
    a = actor(request)
    return {"read_at": services.mark_read(a, _tenants(a), None if body.all else body.ids)}


@router.post("/unread", response=s.UnreadOut, openapi_extra=needs("signed in"))
def mark_unread(request: HttpRequest, body: s.UnreadIn) -> Any:
    """Mark notifications as unread: these, or those that were read at this moment."""
    if not body.ids and body.read_at is None:
        raise InvalidRequest("Send the ids of the notifications, or read_at of the marking to undo.")
    a = actor(request)
    return {"count": services.mark_unread(a, _tenants(a), ids=body.ids, read_at=body.read_at)}


def _settings(groups: dict[str, bool]) -> dict[str, Any]:
    return {"email": groups, "mail_configured": selectors.mail_configured()}


@router.get("/settings", response=s.NotificationSettingsOut, openapi_extra=needs("signed in"))
def get_settings(request: HttpRequest) -> Any:
    """Return which groups of messages one gets by e-mail too."""
    return _settings(selectors.email_groups(actor(request)))


@router.patch("/settings", response=s.NotificationSettingsOut, openapi_extra=needs("signed in"))
def set_settings(request: HttpRequest, body: s.NotificationSettingsIn) -> Any:
    """Say which groups one gets by e-mail too; e-mails about the security of the account cannot be switched off."""
    wanted = {name: on for name, on in body.email.dict().items() if on is not None}
    return _settings(services.set_email_groups(actor(request), wanted))
