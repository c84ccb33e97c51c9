"""Tell people: rows in the transaction of the event's delivery, and a job for each e-mail that leaves with it."""

from __future__ import annotations

import datetime as dt
import json
import uuid
from collections.abc import Collection, Mapping, Sequence

from django.db import transaction
from django.db.models import Q

from imagefactory.domain.notifications import events, policies
from imagefactory.domain.notifications.errors import NoticeNotFound
from imagefactory.domain.notifications.message import MAX_NAME, Message, Recipient, is_address, one_line, tidy
from imagefactory.domain.notifications.models import EmailOff, Mail, Notice
from imagefactory.domain.notifications.selectors import email_groups, mail_configured, own_notices
from imagefactory.domain.notifications.states import ALWAYS_MAILED, Group, MailStatus, group_of
from imagefactory.kernel import live, queue, secrets
from imagefactory.kernel.actor import Actor
from imagefactory.kernel.authorize import authorize
from imagefactory.kernel.clock import now
from imagefactory.kernel.errors import ValidationFailed
from imagefactory.kernel.outbox.emit import emit

__all__ = ["Message", "Recipient", "notify"]
SEND_JOB = "notifications.send"
NO_SERVER = "No mail server is configured."
BAD_ADDRESS = "This is not an e-mail address that a mail can be sent to."


def notify(
    *,
    event_id: uuid.UUID,
    kind: str,
    tenant_id: uuid.UUID | None,
    to: Sequence[Recipient],
    message: Message,
    channels: Sequence[str] = ("in_app", "email"),
) -> None:
    """Tell these people what happened, each once for an event and channel however often this is called.

    `kind` is `<group>.<what>`: builds, security, or anything else for the team; people may switch e-mails of a group off
    (`states.group_of`). A notice in the pages needs a `user_id`. Rows and jobs belong to the caller's transaction.

    Raises ValueError for an unknown channel or an action that is no path of this factory.
    """
    if unknown := set(channels) - {"in_app", "email"}:
        raise ValueError(f"unknown channels {sorted(unknown)}: there are in_app and email")
    message = tidy(message)
    if "in_app" in channels:
        _tell_in_app(event_id, kind, tenant_id, to, message)
    if "email" in channels:
        _queue_mails(event_id, kind, tenant_id, to, message)


def _tell_in_app(
    event_id: uuid.UUID, kind: str, tenant_id: uuid.UUID | None, to: Sequence[Recipient], message: Message
) -> None:
    label, path = message.action or ("", "")
    notices = [
        Notice(
            event_id=event_id,
            user_id=user_id,
            tenant_id=tenant_id,
            kind=kind,
            subject=message.subject,
            text="\n".join(message.paragraphs),
            label=label,
            path=path,
        )
        for user_id in dict.fromkeys(r.user_id for r in to if r.user_id)
    ]
    Notice.objects.bulk_create(notices, ignore_conflicts=True)
    tell_badges([n.user_id for n in notices])


def tell_badges(user_ids: Sequence[uuid.UUID]) -> None:
    """Tell the open pages of these people that their notices changed."""
    if user_ids:
        live.tell([live.Notice("notification.changed", [f"user:{user_id}"], {}) for user_id in user_ids])


def _queue_mails(
    event_id: uuid.UUID, kind: str, tenant_id: uuid.UUID | None, to: Sequence[Recipient], message: Message
) -> None:
    wanted = _who_wants_mail(kind, to)
    body = secrets.encrypt(json.dumps({"paragraphs": list(message.paragraphs), "action": message.action}))
    mails = []
    for recipient in wanted:
        status, problem = MailStatus.QUEUED, ""
        if not mail_configured():
            status, problem = MailStatus.NOT_SENT, NO_SERVER
        elif not is_address(recipient.email):
            status, problem = MailStatus.FAILED, BAD_ADDRESS
        mails.append(
            Mail(
                event_id=event_id,
                address=one_line(recipient.email, 254),
                name=one_line(recipient.name, MAX_NAME),
                user_id=recipient.user_id,
                tenant_id=tenant_id,
                kind=kind,
                subject=message.subject,
                body=body if status is MailStatus.QUEUED else None,
                status=status,
                not_before=now(),
                last_error=problem,
            )
        )
    Mail.objects.bulk_create(mails, ignore_conflicts=True)
    # Of a message that was told before, no row was written, and so no job is due.
    for mail_id in Mail.objects.filter(id__in=[m.id for m in mails], status=MailStatus.QUEUED).values_list(
        "id", flat=True
    ):
        queue.defer(SEND_JOB, mail_id=str(mail_id))


def _who_wants_mail(kind: str, to: Sequence[Recipient]) -> list[Recipient]:
    """Return the recipients without those who switched this group's e-mails off, each address once."""
    group = group_of(kind)
    off: set[uuid.UUID] = set()
    if group not in ALWAYS_MAILED:
        ids = [r.user_id for r in to if r.user_id]
        off = set(EmailOff.objects.filter(user_id__in=ids, group=group).values_list("user_id", flat=True))
    return list({r.email.lower(): r for r in to if r.email and r.user_id not in off}.values())


def mark_read(actor: Actor, tenants: Collection[uuid.UUID], ids: Sequence[uuid.UUID] | None = None) -> dt.datetime:
    """Mark one's own notices as read, these or all, and return the moment; `mark_unread` with it brings just them back.

    What is read already, or is not one's own, is left alone. Raises PermissionDenied for an actor that is no person's.
    """
    authorize(policies.may_use_own(actor))
    # To the millisecond, which is what JSON of the API carries, so that the moment comes back as it was.
    exact = now()
    moment = exact.replace(microsecond=exact.microsecond // 1000 * 1000)
    with transaction.atomic():
        rows = own_notices(actor, tenants).filter(read_at=None)
        if ids is not None:
            rows = rows.filter(id__in=ids)
        if rows.update(read_at=moment):
            tell_badges([actor.person])
    return moment


def mark_unread(
    actor: Actor,
    tenants: Collection[uuid.UUID],
    *,
    ids: Sequence[uuid.UUID] = (),
    read_at: dt.datetime | None = None,
) -> int:
    """Mark one's own notices as unread: these, and those that were read at this moment. Returns how many.

    Raises PermissionDenied for an actor that is no person's.
    """
    authorize(policies.may_use_own(actor))
    chosen = Q(id__in=ids) if read_at is None else Q(id__in=ids) | Q(read_at=read_at)
    with transaction.atomic():
        count = own_notices(actor, tenants).filter(chosen).exclude(read_at=None).update(read_at=None)
        if count:
            tell_badges([actor.person])
    return count


def open_notice(actor: Actor, tenants: Collection[uuid.UUID], notice_id: uuid.UUID) -> str:
    """Mark a notice as read and return the path that it leads to, which may be empty.

    Raises NoticeNotFound, also for another person's, and PermissionDenied for an actor that is no person's.
    """
    authorize(policies.may_use_own(actor))
    path = own_notices(actor, tenants).filter(id=notice_id).values_list("path", flat=True).first()
    if path is None:
        raise NoticeNotFound
    mark_read(actor, tenants, [notice_id])
    return path


def set_email_groups(actor: Actor, wanted: Mapping[str, bool]) -> dict[str, bool]:
    """Say which groups of messages one gets by e-mail too; groups that are not named stay. Returns all of them.

    Raises ValidationFailed for an unknown group and for switching `security` off, PermissionDenied for a key.
    """
    authorize(policies.may_set_email(actor))
    known = {str(g) for g in Group}
    wrong = {name: [f"There is no group of messages {name[:40]}. There are {', '.join(sorted(known))}."]
             for name in wanted if name not in known}  # fmt: skip
    for group in ALWAYS_MAILED:
        if wanted.get(group) is False:
            wrong[str(group)] = [
                "E-mails about the security of your account cannot be switched off: they tell you when someone else uses it."
            ]
    if wrong:
        raise ValidationFailed(wrong)
    with transaction.atomic():
        before = email_groups(actor)
        after = before | {name: bool(on) for name, on in wanted.items()}
        if after != before:
            off = [EmailOff(user_id=actor.person, group=g) for g, on in after.items() if not on]
            EmailOff.objects.bulk_create(off, ignore_conflicts=True)
            EmailOff.objects.filter(user_id=actor.person, group__in=[g for g, on in after.items() if on]).delete()
            emit(actor, events.EmailGroupsSet(None, actor.person, before, after))
    return after
