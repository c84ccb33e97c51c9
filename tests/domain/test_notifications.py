"""Notices and e-mails: told once, bounded, never to those who do not want them, and sent at most once."""

from __future__ import annotations

import uuid

import pytest

from imagefactory.domain.notifications.models import Mail, Notice
from imagefactory.domain.notifications.services import Message, Recipient, notify

ME = Recipient("Ada@Example.com", "Ada", uuid.UUID(int=1))
EVENT = uuid.UUID(int=9)
TEXT = Message("Build 7 failed", ["It stopped in stage build."], ("Open the build", "/t/a/p/b/builds/7"))


def tell(message: Message = TEXT, *to: Recipient, event_id: uuid.UUID = EVENT, kind: str = "builds.failed") -> None:
    notify(event_id=event_id, kind=kind, tenant_id=None, to=to or (ME,), message=message)


@pytest.mark.django_db
def test_an_event_is_told_once_to_each_person_and_address_however_often_it_is_delivered() -> None:
    for _ in range(3):
        tell(TEXT, ME, Recipient("ada@example.COM", "Ada again", uuid.UUID(int=1)))
    assert Notice.objects.get().subject == "Build 7 failed"
    assert Mail.objects.count() == 1
