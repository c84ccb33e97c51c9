"""Notices and e-mails: told once, bounded, never to those who do not want them, and sent at most once."""

from __future__ import annotations

import contextlib
import datetime as dt
import threading
import uuid
from collections.abc import Sequence
from email.message import EmailMessage
from typing import Any

import pytest
from django.db import connection, transaction

from imagefactory.adapters.mail.base import MailRefused, MailUnavailable
from imagefactory.adapters.mail.fake import FakeMailer
from imagefactory.domain.notifications import selectors, sending, services
from imagefactory.domain.notifications.errors import NoticeNotFound
from imagefactory.domain.notifications.models import EmailOff, Mail, Notice
from imagefactory.domain.notifications.services import Message, Recipient, notify
from imagefactory.kernel import env, secrets
from imagefactory.kernel.actor import Actor, ActorKind, system
from imagefactory.kernel.clock import now
from imagefactory.kernel.errors import PermissionDenied, ValidationFailed
from imagefactory.kernel.ids import uuid7
from imagefactory.kernel.outbox.models import OutboxEvent
from tests.conftest import next_millisecond

ADA_ID, TENANT, EVENT = uuid.UUID(int=1), uuid.UUID(int=2), uuid.UUID(int=9)
ADA = Recipient("Ada@Example.com", "Ada", ADA_ID)
STRANGER = Recipient("new@example.com")
ACTOR = Actor(ActorKind.USER, "Ada", user_id=ADA_ID, email="ada@example.com")
TEXT = Message("Build 7 failed", ["It stopped in the stage build."], ("Open the build", "/t/a/p/b/builds/7"))


@pytest.fixture(autouse=True)
def server(monkeypatch: pytest.MonkeyPatch) -> None:
    """A mail server is configured, unless a test says otherwise; nobody connects to it here."""
    configure(monkeypatch, mail_host="mail.example.com")


def configure(monkeypatch: pytest.MonkeyPatch, **settings: Any) -> None:
    settings = env.read().model_dump() | settings
    monkeypatch.setattr(env, "get", lambda: env.Settings(**settings))


def tell(
    message: Message = TEXT,
    to: Sequence[Recipient] = (ADA,),
    *,
    event: uuid.UUID | None = None,
    kind: str = "builds.failed",
    channels: Sequence[str] = ("in_app", "email"),
    tenant: uuid.UUID | None = TENANT,
) -> None:
    next_millisecond()
    notify(event_id=event or uuid7(), kind=kind, tenant_id=tenant, to=to, message=message, channels=channels)


def send(mailer: FakeMailer, mail: Mail | None = None) -> str | None:
    return sending.send_mail((mail or Mail.objects.get()).id, mailer)


def jobs(name: str = services.SEND_JOB) -> int:
    with connection.cursor() as cursor:
        cursor.execute("select count(*) from procrastinate_jobs where task_name = %s", [name])
        return int(cursor.fetchone()[0])


# --- being told ------------------------------------------------------------------------------------------------------


def test_an_event_is_told_once_to_each_person_and_address_however_often_it_is_delivered(db: None) -> None:
    for _ in range(3):
        tell(TEXT, [ADA, Recipient("ada@example.COM", "Ada again", ADA_ID)], event=EVENT)
    notice = Notice.objects.get()
    assert (notice.subject, notice.path) == ("Build 7 failed", "/t/a/p/b/builds/7")
    assert Mail.objects.count() == 1
    assert jobs() == 1
    tell(TEXT, event=uuid7())
    assert (Notice.objects.count(), Mail.objects.count(), jobs()) == (2, 2, 2)


def test_someone_without_an_account_gets_a_mail_and_no_notice(db: None) -> None:
    tell(to=[STRANGER])
    assert (Mail.objects.get().address, Notice.objects.exists()) == ("new@example.com", False)


def test_channels_are_chosen_by_the_caller_and_an_unknown_one_is_a_mistake(db: None) -> None:
    tell(channels=["email"])
    tell(channels=["in_app"])
    assert (Notice.objects.count(), Mail.objects.count()) == (1, 1)
    with pytest.raises(ValueError, match="sms"):
        tell(channels=["sms"])


class _UndoneError(Exception):
    """What ends a transaction after its change was made."""


def test_what_is_rolled_back_tells_nobody(db: None) -> None:
    with contextlib.suppress(_UndoneError), transaction.atomic():
        tell()
        raise _UndoneError
    assert (Notice.objects.count(), Mail.objects.count(), jobs()) == (0, 0, 0)


def test_without_a_mail_server_notices_work_and_mails_say_why_they_were_not_sent(
    db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    configure(monkeypatch, mail_host="")
    tell(to=[ADA, STRANGER])
    assert not selectors.mail_configured()
    assert Notice.objects.count() == 1
    for mail in Mail.objects.all():
        assert (mail.status, mail.last_error, mail.body) == ("not_sent", "No mail server is configured.", None)
    assert jobs() == 0
    assert sending.send_due(FakeMailer()) == 0


def test_the_body_is_encrypted_until_it_is_sent_and_gone_afterwards(db: None) -> None:
    tell(Message("Join", ["Welcome to the team."], ("Join", "/invitation?token=let-me-in")), channels=["email"])
    mail, mailer = Mail.objects.get(), FakeMailer()
    assert mail.body is not None
    assert b"let-me-in" not in bytes(mail.body)
    assert "let-me-in" not in mail.subject
    assert send(mailer) == "sent"
    assert "let-me-in" in mailer.sent[0].as_string()
    mail.refresh_from_db()
    assert (mail.status, mail.attempts) == ("sent", 1)
    assert not Mail.objects.exclude(body=None).exists()


# --- what people type does no harm -----------------------------------------------------------------------------------


def test_a_line_end_in_a_subject_or_name_never_becomes_a_header(db: None) -> None:
    evil = "Hello\r\nBcc: all@example.com\u2028X: y\x00"
    tell(Message(evil, [evil]), [Recipient("ada@example.com", evil)])
    mailer = FakeMailer()
    assert send(mailer) == "sent"
    (mail,) = mailer.sent
    assert mail["Subject"] == "Hello Bcc: all@example.com X: y"
    assert mail["Bcc"] is None
    assert mail["X"] is None
    assert [a.addr_spec for a in mail["To"].addresses] == ["ada@example.com"]
    assert b"\nBcc:" not in mail.as_bytes().split(b"\n\n")[0]


@pytest.mark.parametrize(
    "address", ["a@b.c\r\nBcc: x@y.z", "a@b.c, x@y.z", "no address", "<a@b.c>", "a@b@c", f"{'a' * 300}@b.c", "ä@b.c"]
)
def test_an_address_that_is_none_fails_and_is_never_handed_over(db: None, address: str) -> None:
    tell(to=[Recipient(address)])
    mailer, mail = FakeMailer(), Mail.objects.get()
    if mail.status == "queued":
        send(mailer)
        mail.refresh_from_db()
    assert (mail.status, mail.body, mailer.sent) == ("failed", None, [])
    assert "not an e-mail address" in mail.last_error


def test_an_international_domain_is_written_as_servers_know_it(db: None) -> None:
    tell(to=[Recipient("ada@bücher.example")])
    mailer = FakeMailer()
    send(mailer)
    assert mailer.sent[0]["To"].addresses[0].addr_spec == "ada@xn--bcher-kva.example"


def test_subject_and_body_are_bounded(db: None) -> None:
    tell(Message("s" * 5000, ["p" * 50_000] * 500, ("l" * 500, "/x")))
    notice, mailer = Notice.objects.get(), FakeMailer()
    assert len(notice.subject) == 200
    assert notice.subject.endswith("…")
    assert len(notice.text) < 41 * 2002
    assert len(notice.label) == 80
    send(mailer)
    assert len(mailer.sent[0].as_bytes()) < 1_000_000


@pytest.mark.parametrize("path", ["https://evil.example", "//evil.example", "relative", "/a\r\nb", f"/{'a' * 2000}"])
def test_an_action_that_leads_out_of_the_factory_is_a_mistake(db: None, path: str) -> None:
    with pytest.raises(ValueError, match="path"):
        tell(Message("x", [], ("Go", path)))


# --- the mail itself -------------------------------------------------------------------------------------------------


def parts(mail: EmailMessage) -> tuple[str, str]:
    text, page = mail.get_body(("plain",)), mail.get_body(("html",))
    assert text is not None
    assert page is not None
    return text.get_content(), page.get_content()


def test_a_mail_says_the_same_as_text_and_as_a_page_that_loads_nothing(db: None) -> None:
    tell(Message("A <b>", ["1 < 2 & 3 <script>"], ('Open "it"', "/t/a?b=1&c=2")))
    mailer = FakeMailer()
    send(mailer)
    (mail,) = mailer.sent
    text, page = parts(mail)
    url = env.get().public_url
    assert "1 < 2 & 3 <script>" in text
    assert f'Open "it":\n{url}/t/a?b=1&c=2' in text
    assert "1 &lt; 2 &amp; 3 &lt;script&gt;" in page
    assert "<script" not in page
    assert f'href="{url}/t/a?b=1&amp;c=2"' in page
    assert "src=" not in page
    assert "url(" not in page
    assert '<meta name="color-scheme" content="light dark">' in page
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail["From"].addresses[0].addr_spec == "imagefactory@127.0.0.1"
    assert f"{url}/me/notifications" in text


def test_each_attempt_of_a_mail_has_the_same_message_id_and_no_other_mail_has(db: None) -> None:
    tell(to=[ADA, STRANGER], event=EVENT)
    tell(event=uuid7())
    mailer = FakeMailer()
    for mail in Mail.objects.all():
        send(mailer, mail)
    Mail.objects.update(status="queued", body=secrets.encrypt('{"paragraphs": [], "action": null}'))
    for mail in Mail.objects.all():
        send(mailer, mail)
    ids = [m["Message-ID"] for m in mailer.sent]
    assert len(set(ids[:3])) == 3
    assert sorted(ids[:3]) == sorted(ids[3:])


def test_a_mail_to_someone_without_an_account_does_not_offer_settings_they_cannot_open(db: None) -> None:
    tell(to=[STRANGER], kind="team.invited")
    tell(kind="security.password_changed")
    mailer = FakeMailer()
    for mail in Mail.objects.order_by("address"):
        send(mailer, mail)
    security, invitation = parts(mailer.sent[0])[0], parts(mailer.sent[1])[0]
    assert "/me/notifications" not in security + invitation
    assert "security of your account" in security


# --- once and no more ------------------------------------------------------------------------------------------------


def test_a_refused_mail_is_not_tried_again(db: None) -> None:
    tell()
    mailer = FakeMailer()
    mailer.answer = MailRefused("The mail server answered 550 No such user")
    assert send(mailer) == "failed"
    mail = Mail.objects.get()
    assert (mail.last_error, mail.body) == ("The mail server answered 550 No such user", None)
    assert sending.send_due(FakeMailer()) == 0


def test_while_the_server_is_away_a_mail_is_tried_less_and_less_often_and_then_has_failed(db: None) -> None:
    tell()
    mailer, waits = FakeMailer(), []
    mailer.answer = MailUnavailable("The mail server answered 451 Later")
    while send(mailer) == "queued":
        mail = Mail.objects.get()
        assert mail.last_error == "The mail server answered 451 Later"
        waits.append(round((mail.not_before - now()).total_seconds() / 60))
        assert send(mailer) is None, "it is not due"
        assert sending.send_due(mailer) == 0
        Mail.objects.update(not_before=now())
    assert waits == list(sending.BACK_OFF_MINUTES)
    assert waits == sorted(waits)
    mail = Mail.objects.get()
    assert (mail.status, mail.attempts, mail.body) == ("failed", sending.MAX_ATTEMPTS, None)


def test_when_the_server_is_back_what_waited_is_sent(db: None) -> None:
    tell()
    mailer = FakeMailer()
    mailer.answer = MailUnavailable("away")
    send(mailer)
    mailer.answer = None
    assert sending.send_due(mailer) == 0
    Mail.objects.update(not_before=now())
    assert sending.send_due(mailer) == 1
    assert len(mailer.sent) == 1
    assert Mail.objects.get().status == "sent"


def test_a_server_that_is_away_is_not_asked_for_every_mail_that_waits(db: None) -> None:
    for _ in range(10):
        tell()
    mailer = FakeMailer()
    mailer.answer = MailUnavailable("away")
    assert sending.send_due(mailer) == sending.AWAY_IN_A_ROW
    assert Mail.objects.filter(attempts=0).count() == 10 - sending.AWAY_IN_A_ROW


def test_one_mail_that_must_wait_does_not_hold_up_the_others(db: None) -> None:
    for name in ("grey", "a", "grey2", "b"):
        tell(to=[Recipient(f"{name}@example.com")])
    mailer = FakeMailer()
    mailer.answers = {f"{n}@example.com": MailUnavailable("greylisted") for n in ("grey", "grey2")}
    assert sending.send_due(mailer) == 4
    assert len(mailer.sent) == 2


class _Killed(BaseException):
    """A worker that ends in the middle, without a chance to write anything."""


class _KilledMailer:
    """Hands the mail over, or not, and then the worker is gone."""

    def __init__(self, inner: FakeMailer, *, before: bool) -> None:
        self.inner, self.before = inner, before

    def send(self, message: EmailMessage) -> None:
        if not self.before:
            self.inner.send(message)
        raise _Killed


@pytest.mark.parametrize("before", [True, False])
def test_a_worker_killed_while_sending_never_makes_a_second_mail(db: None, before: bool) -> None:
    tell()
    arrived = FakeMailer()
    with pytest.raises(_Killed):
        sending.send_mail(Mail.objects.get().id, _KilledMailer(arrived, before=before))
    sent = len(arrived.sent)
    assert send(arrived) is None
    assert sending.send_due(arrived) == 0
    assert Mail.objects.get().status == "sending"
    Mail.objects.update(claimed_at=now() - sending.CLAIM_LIFE - dt.timedelta(seconds=1))
    assert sending.send_due(arrived) == 0
    mail = Mail.objects.get()
    assert (mail.status, mail.body) == ("uncertain", None)
    assert "not known whether it was sent" in mail.last_error
    assert len(arrived.sent) == sent


@pytest.mark.committed
@pytest.mark.django_db(transaction=True)
def test_two_workers_at_once_send_a_mail_once() -> None:
    tell()
    mail_id, mailer, barrier = Mail.objects.get().id, FakeMailer(), threading.Barrier(6)
    found: list[object] = []

    def work() -> None:
        try:
            barrier.wait(10)
            found.append(sending.send_mail(mail_id, mailer))
        finally:
            connection.close()

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(mailer.sent) == 1
    assert sorted(map(str, found)) == ["None"] * 5 + ["sent"]
    assert Mail.objects.get().attempts == 1


def test_a_server_taken_out_of_the_settings_leaves_what_waits_unsent(db: None) -> None:
    tell()
    assert sending.send_mail(Mail.objects.get().id, None) == "not_sent"
    assert Mail.objects.get().body is None


def test_a_mail_whose_key_is_lost_waits_for_the_key(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    tell()
    Mail.objects.update(body=b"written with another key")
    assert send(FakeMailer()) == "queued"
    assert "IMAGEFACTORY_SECRET_KEYS" in Mail.objects.get().last_error


# --- what people want ------------------------------------------------------------------------------------------------


def test_a_group_that_is_switched_off_comes_in_the_pages_only(db: None) -> None:
    assert services.set_email_groups(ACTOR, {"builds": False}) == {"builds": False, "team": True, "security": True}
    tell(kind="builds.failed")
    assert (Notice.objects.count(), Mail.objects.count()) == (1, 0)
    tell(kind="team.role_changed")
    assert Mail.objects.get().kind == "team.role_changed"
    services.set_email_groups(ACTOR, {"builds": True})
    tell(kind="builds.failed")
    assert Mail.objects.count() == 2


def test_mails_about_security_cannot_be_switched_off_and_the_refusal_says_why(db: None) -> None:
    with pytest.raises(ValidationFailed) as error:
        services.set_email_groups(ACTOR, {"security": False, "builds": False})
    assert "someone else" in error.value.fields["security"][0]
    assert selectors.email_groups(ACTOR) == {"builds": True, "team": True, "security": True}
    EmailOff.objects.create(user_id=ADA_ID, group="security")  # even if such a row were there
    tell(kind="security.password_changed")
    assert Mail.objects.count() == 1


def test_an_unknown_group_is_refused_with_those_there_are(db: None) -> None:
    with pytest.raises(ValidationFailed) as error:
        services.set_email_groups(ACTOR, {"weather": True})
    assert "builds, security, team" in error.value.fields["weather"][0]


def test_a_change_of_settings_is_an_event_with_before_and_after_and_no_change_is_none(db: None) -> None:
    for _ in range(2):
        services.set_email_groups(ACTOR, {"team": False})
    event = OutboxEvent.objects.get(type="notification.email_set")
    assert (event.payload["before"]["team"], event.payload["after"]["team"]) == (True, False)


def test_a_key_cannot_silence_the_warnings_about_it(db: None) -> None:
    key = Actor(ActorKind.API_KEY, "Ada", user_id=ADA_ID, tenant_id=TENANT, key_id=uuid7())
    with pytest.raises(PermissionDenied):
        services.set_email_groups(key, {"builds": False})


# --- reading ---------------------------------------------------------------------------------------------------------


def test_one_reads_ones_own_notices_of_the_teams_one_is_in(db: None) -> None:
    left = uuid7()
    tell(tenant=TENANT)
    tell(tenant=left)
    tell(tenant=None)
    tell(to=[Recipient("eve@example.com", "Eve", uuid.UUID(int=77))])
    items, older = selectors.list_notices(ACTOR, [TENANT])
    assert [n.tenant_id for n in items] == [None, TENANT]
    assert older is None
    assert selectors.unread_count(ACTOR, [TENANT]) == 2
    key = Actor(ActorKind.API_KEY, "Ada", user_id=ADA_ID, tenant_id=TENANT, key_id=uuid7())
    assert [n.tenant_id for n in selectors.list_notices(key, [TENANT, left])[0]] == [TENANT]
    with pytest.raises(PermissionDenied):
        selectors.list_notices(system("dispatcher"), [TENANT])


def test_pages_follow_each_other_without_gap_or_repetition(db: None) -> None:
    for i in range(7):
        tell(Message(str(i), []))
    seen, before = [], None
    while True:
        items, before = selectors.list_notices(ACTOR, [TENANT], before=before, limit=3)
        seen += [n.subject for n in items]
        if before is None:
            break
    assert seen == [str(i) for i in reversed(range(7))]


def test_marking_and_undoing_touch_just_what_was_marked(db: None) -> None:
    for i in range(4):
        tell(Message(str(i), []))
    items, _ = selectors.list_notices(ACTOR, [TENANT])
    services.mark_read(ACTOR, [TENANT], [items[0].id])
    next_millisecond()  # two marks of one moment would be undone together
    moment = services.mark_read(ACTOR, [TENANT])
    assert selectors.unread_count(ACTOR, [TENANT]) == 0
    assert selectors.count_read_at(ACTOR, [TENANT], moment) == 3
    assert services.mark_unread(ACTOR, [TENANT], read_at=moment) == 3
    unread, _ = selectors.list_notices(ACTOR, [TENANT], unread=True)
    assert [n.subject for n in unread] == ["2", "1", "0"]
    assert services.mark_unread(ACTOR, [TENANT], ids=[items[0].id]) == 1


def test_nobody_marks_or_opens_what_is_not_theirs(db: None) -> None:
    tell()
    notice = Notice.objects.get()
    eve = Actor(ActorKind.USER, "Eve", user_id=uuid.UUID(int=77))
    services.mark_read(eve, [TENANT], [notice.id])
    services.mark_read(eve, [TENANT])
    services.mark_read(ACTOR, [uuid7()], [notice.id])
    with pytest.raises(NoticeNotFound):
        services.open_notice(eve, [TENANT], notice.id)
    notice.refresh_from_db()
    assert notice.read_at is None
    assert services.open_notice(ACTOR, [TENANT], notice.id) == "/t/a/p/b/builds/7"
    notice.refresh_from_db()
    assert notice.read_at is not None


def test_the_number_of_unread_notices_ends_at_a_hundred(db: None) -> None:
    Notice.objects.bulk_create(
        Notice(event_id=uuid7(), user_id=ADA_ID, kind="builds.failed", subject="x") for _ in range(150)
    )
    assert selectors.unread_count(ACTOR, []) == selectors.COUNT_CAP + 1
