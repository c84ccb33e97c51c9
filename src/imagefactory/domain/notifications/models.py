"""Tables of notices, e-mails, and of what people do not want by e-mail.

People and teams are named by id without a foreign key: an event may tell of one that is gone by now.
"""

from __future__ import annotations

import uuid

from django.db import models
from django.db.models.functions import Lower

from imagefactory.domain.notifications.states import Group, MailStatus
from imagefactory.kernel.ids import uuid7


class Notice(models.Model):
    """A message in the pages of one person; `path` leads to what it is about."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)
    event_id = models.UUIDField()
    user_id = models.UUIDField()
    tenant_id: models.UUIDField[uuid.UUID | None, uuid.UUID | None] = models.UUIDField(null=True)
    kind = models.CharField(max_length=80)
    subject = models.CharField(max_length=200)
    text = models.TextField(blank=True)
    label = models.CharField(max_length=80, blank=True)
    path = models.CharField(max_length=1000, blank=True)
    read_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["event_id", "user_id"], name="notifications_notice_once")]
        indexes = [
            models.Index(fields=["user_id", "-id"], name="notifications_newest"),
            models.Index(fields=["user_id", "-id"], name="notifications_unread", condition=models.Q(read_at=None)),
        ]


class Mail(models.Model):
    """An e-mail to one address. `body` is encrypted, since it may hold a link that lets its reader in, and null once done."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)
    event_id = models.UUIDField()
    address = models.CharField(max_length=254)
    name = models.CharField(max_length=200, blank=True)
    user_id: models.UUIDField[uuid.UUID | None, uuid.UUID | None] = models.UUIDField(null=True)
    tenant_id: models.UUIDField[uuid.UUID | None, uuid.UUID | None] = models.UUIDField(null=True)
    kind = models.CharField(max_length=80)
    subject = models.CharField(max_length=200)
    body = models.BinaryField(null=True)
    status = models.CharField(max_length=10, choices=[(s.value, s.value) for s in MailStatus])
    attempts = models.PositiveSmallIntegerField(default=0)
    not_before = models.DateTimeField()
    claimed_at = models.DateTimeField(null=True)
    sent_at = models.DateTimeField(null=True)
    last_error = models.CharField(max_length=500, blank=True)

    class Meta:
        constraints = [models.UniqueConstraint("event_id", Lower("address"), name="notifications_mail_once")]
        indexes = [
            models.Index(
                fields=["not_before"],
                name="notifications_waiting",
                condition=models.Q(status__in=[MailStatus.QUEUED.value, MailStatus.SENDING.value]),
            )
        ]


class EmailOff(models.Model):
    """That a person wants no e-mail of this group; without a row they get it."""

    id = models.BigAutoField(primary_key=True)
    user_id = models.UUIDField()
    group = models.CharField(max_length=20, choices=[(g.value, g.value) for g in Group])

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user_id", "group"], name="notifications_email_off_once")]
