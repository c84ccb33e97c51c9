"""Old rows go, all of them and no others."""

from __future__ import annotations

import datetime as dt

import pytest
from django.contrib.sessions.models import Session

from imagefactory.domain.identity.models import AuthSession, User
from imagefactory.entry.jobs import retention
from imagefactory.kernel.clock import now
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
