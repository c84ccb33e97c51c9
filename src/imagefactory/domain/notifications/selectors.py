"""Read one's own notices and settings of e-mail."""

from __future__ import annotations

import dataclasses
import datetime as dt
import uuid
from collections.abc import Collection

from django.db.models import Q, QuerySet

from imagefactory.domain.notifications import policies
from imagefactory.domain.notifications.models import EmailOff, Notice
from imagefactory.domain.notifications.states import ALWAYS_MAILED, Group, group_of
from imagefactory.kernel import env
from imagefactory.kernel.actor import Actor
from imagefactory.kernel.authorize import authorize

COUNT_CAP = 99


@dataclasses.dataclass(frozen=True)
class NoticeView:
    """A notice as its person sees it. `path` begins with "/", or is empty."""

    id: uuid.UUID
    created_at: dt.datetime
    tenant_id: uuid.UUID | None
    kind: str
    group: str
    subject: str
    text: str
    label: str
    path: str
    read: bool


def mail_configured() -> bool:
    """Whether this factory can send e-mail; without it people are told in the pages only."""
    return bool(env.get().mail_host)


def own_notices(actor: Actor, tenants: Collection[uuid.UUID]) -> QuerySet[Notice]:
    """Return the rows of the actor's own notices, for this app's own services.

    Of the tenants that they belong to now and of no other: who left a team is told nothing of it any more. A key has those
    of its one tenant.
    """
    if actor.key_id is not None:
        return Notice.objects.filter(user_id=actor.person, tenant_id=actor.tenant)
    return Notice.objects.filter(Q(tenant_id=None) | Q(tenant_id__in=list(tenants)), user_id=actor.person)


def unread_count(actor: Actor, tenants: Collection[uuid.UUID]) -> int:
    """Return how many notices are unread, up to COUNT_CAP + 1; `tenants` are those that the person belongs to."""
    rows = own_notices(actor, tenants).filter(read_at=None).order_by("-id")
    return len(rows.values_list("id")[: COUNT_CAP + 1])


def list_notices(
    actor: Actor,
    tenants: Collection[uuid.UUID],
    *,
    unread: bool = False,
    before: uuid.UUID | None = None,
    limit: int = 50,
) -> tuple[list[NoticeView], uuid.UUID | None]:
    """Return one's own notices, newest first, and the cursor of the next page; with `unread` only those.

    Raises PermissionDenied for an actor that is no person's.
    """
    authorize(policies.may_use_own(actor))
    rows = own_notices(actor, tenants)
    if unread:
        rows = rows.filter(read_at=None)
    if before:
        rows = rows.filter(id__lt=before)
    page = [_view(n) for n in rows.order_by("-id")[: limit + 1]]
    return page[:limit], page[limit - 1].id if len(page) > limit else None


def count_notices(actor: Actor, tenants: Collection[uuid.UUID], *, unread: bool = False) -> int:
    """Return how many notices there are, up to 1000."""
    rows = own_notices(actor, tenants)
    rows = rows.filter(read_at=None) if unread else rows
    return len(rows.order_by("-id").values_list("id")[:1000])


def count_read_at(actor: Actor, tenants: Collection[uuid.UUID], moment: dt.datetime) -> int:
    """Return how many notices were marked as read at exactly this moment: those that an undo would bring back."""
    return own_notices(actor, tenants).filter(read_at=moment).count()


def _view(n: Notice) -> NoticeView:
    return NoticeView(
        n.id,
        n.created_at,
        n.tenant_id,
        n.kind,
        group_of(n.kind),
        n.subject,
        n.text,
        n.label,
        n.path,
        n.read_at is not None,
    )


def email_groups(actor: Actor) -> dict[str, bool]:
    """Return for each group of messages whether the person gets them by e-mail too; `security` always."""
    off = set(EmailOff.objects.filter(user_id=actor.person).values_list("group", flat=True))
    return {str(g): g in ALWAYS_MAILED or g not in off for g in Group}
