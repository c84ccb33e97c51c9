"""Old rows go, all of them and no others."""

from __future__ import annotations

import datetime as dt
import uuid

import pytest
from django.contrib.sessions.models import Session

from imagefactory.domain.identity.models import AuthSession, User
from imagefactory.domain.notifications.models import Mail, Notice
from imagefactory.entry.jobs import retention
from imagefactory.kernel.clock import now
from imagefactory.kernel.ids import first_at, uuid7
from imagefactory.kernel.outbox.models import OutboxEvent
from imagefactory.kernel.replies.models import Reply
from imagefactory.kernel.throttle.models import Attempts

OLD, YOUNG = dt.timedelta(days=8), dt.timedelta(days=6)


def event(delivered: dt.timedelta | None) -> OutboxEvent:
    at = None if delivered is None else now() - delivered
    return OutboxEvent(type="t", actor_kind="system", actor_name="t", source="t", delivered_at=at)


def test_what_is_older_than_a_week_goes_and_what_is_not_stays(db: None) -> None:
    OutboxEvent.objects.bulk_create([event(OLD), event(YOUNG), event(None)])
    for name, age in (("old", OLD), ("young", YOUNG)):
        Attempts.objects.create(key=name, window_started_at=now() - age, count=1)
        Reply.objects.create(key=name, request="r")
        Reply.objects.filter(key=name).update(created_at=now() - age)
        Session.objects.create(session_key=name, session_data="", expire_date=now() - age)
        user = User.objects.create_user(f"{name}@example.com")
        AuthSession.objects.create(
            user=user,
            access_hash=name,
            access_expires_at=now() - age,
            refresh_hash=name,
            refresh_expires_at=now() - age,
        )
    assert retention.forget_old_rows() == 5
    assert OutboxEvent.objects.count() == 2
    assert [a.key for a in Attempts.objects.all()] == ["young"]
    assert [r.key for r in Reply.objects.all()] == ["young"]
    assert [s.session_key for s in Session.objects.all()] == ["young"]
    assert [s.access_hash for s in AuthSession.objects.all()] == ["young"]
    assert retention.forget_old_rows() == 0


def test_one_run_takes_more_than_one_batch(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "BATCH", 2)
    OutboxEvent.objects.bulk_create(event(OLD) for _ in range(7))
    assert retention.forget_old_rows() == 7
    assert not OutboxEvent.objects.exists()


def test_notices_go_after_ninety_days_and_mails_that_are_done_after_thirty(db: None) -> None:
    for days in (100, 80, 40, 20):
        made = first_at(now() - dt.timedelta(days=days))
        Notice.objects.create(id=made, event_id=made, user_id=made, kind="builds.failed", subject=str(days))
        for i, status in enumerate(("sent", "failed", "not_sent", "uncertain", "queued", "sending")):
            Mail.objects.create(
                id=uuid.UUID(int=made.int + i), event_id=uuid7(), address="a@example.com",
                kind="builds.failed", subject=str(days), status=status, not_before=now(),
            )  # fmt: skip
    retention.forget_old_rows()
    assert sorted(n.subject for n in Notice.objects.all()) == ["20", "40", "80"]
    assert Mail.objects.filter(status__in=["queued", "sending"]).count() == 8, "what is not done is never forgotten"
    assert {m.subject for m in Mail.objects.exclude(status__in=["queued", "sending"])} == {"20"}
    assert retention.forget_old_rows() == 0
