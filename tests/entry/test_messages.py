"""From an event to an e-mail in a real server's letterbox: relay, composer, job, worker, SMTP."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.db import connection
from procrastinate.contrib.django import app

from imagefactory.adapters.postgres.embedded import embedded_url
from imagefactory.domain.audit.models import AuditEntry
from imagefactory.domain.builds import queue
from imagefactory.domain.builds.services import execution
from imagefactory.domain.builds.services.submit import rerun_build, submit_build
from imagefactory.domain.builds.states import BuildStatus
from imagefactory.domain.identity.models import Membership, User
from imagefactory.domain.notifications import sending
from imagefactory.domain.notifications.models import Mail, Notice
from imagefactory.domain.notifications.services import set_email_groups
from imagefactory.entry.jobs.mail import mailer
from imagefactory.entry.jobs.outbox import deliver_batch
from imagefactory.kernel import env
from imagefactory.kernel.clock import now
from imagefactory.kernel.outbox.models import OutboxEvent
from imagefactory.reactions.messages import table
from tests import environment
from tests.conftest import INLINE, World, make_world
from tests.executors.stand import SOURCE
from tests.mail_server import PASSWORD, USER, Letterbox, mail_server, make_certificate

WHY = "The command apt-get <install> ended with 100 & more."


@pytest.fixture
def box(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Letterbox]:
    """A server with STARTTLS and a password, named by the settings as an operator would."""
    certificate, secret = make_certificate(tmp_path), tmp_path / "password"
    secret.write_text(PASSWORD)
    with mail_server("starttls", certificate) as (box, port):
        names = {
            "HOST": "127.0.0.1", "PORT": str(port), "USER": USER, "PASSWORD_FILE": str(secret),
            "CA_FILE": str(certificate), "FROM": "factory@example.com",
        }  # fmt: skip
        for name, value in names.items():
            monkeypatch.setenv(f"IMAGEFACTORY_MAIL_{name}", value)
        settings = env.read()
        monkeypatch.setattr(env, "get", lambda: settings)
        # The worker's threads let go of the database after each job, or it could not be dropped.
        monkeypatch.setitem(connection.settings_dict, "CONN_MAX_AGE", 0)
        yield box


def settled(world: World) -> World:
    """Return the world when what making it told is over: only what a test does is told from here on."""
    OutboxEvent.objects.update(delivered_at=now())
    return world


def fail_a_build(world: World, role: str = "member") -> int:
    build = submit_build(world.actor(role), world.project.id, INLINE)
    _fail_next()
    return build.number


def _fail_next() -> None:
    claim = queue.claim("w")
    assert claim is not None
    execution.begin(claim, ["fetch", "build"])
    execution.finish(claim, BuildStatus.FAILED, failure=execution.Failure("step_failed", "build", WHY))


def deliver() -> None:
    while deliver_batch():
        pass


def work() -> None:
    """Run a worker until no job is left, in a thread: its loop is not this thread's."""

    def run() -> None:
        connector = app.connector.get_worker_connector()  # type: ignore[attr-defined]  # Django's own has it
        with app.replace_connector(connector) as worker:
            worker.run_worker(wait=False, install_signal_handlers=False)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join(60)
    assert not thread.is_alive()


@pytest.mark.committed
@pytest.mark.django_db(transaction=True)
def test_a_failed_build_reaches_the_mailbox_of_who_started_it_once(box: Letterbox) -> None:
    world = settled(make_world())
    number = fail_a_build(world)
    member = world.actor("member")
    deliver()
    work()
    (mail,) = box.mails
    assert box.encrypted == [True]
    assert mail["From"].addresses[0].addr_spec == "factory@example.com"
    assert [(a.addr_spec, a.display_name) for a in mail["To"].addresses] == [(member.email, member.name)]
    assert mail["Subject"] == f"Build #{number} of Checkout API failed"
    text, page = mail.get_body(("plain",)), mail.get_body(("html",))
    assert text is not None
    assert page is not None
    link = f"{env.get().public_url}/t/{world.tenant_slug}/p/{world.project.slug}/builds/{number}"
    said = " ".join(text.get_content().split())
    assert f"It stopped in the stage build. {WHY}" in said
    assert link in said
    assert "apt-get &lt;install&gt; ended with 100 &amp; more" in page.get_content()
    assert f'href="{link}"' in page.get_content()
    sent = Mail.objects.get()
    assert (sent.status, sent.attempts) == ("sent", 1)
    assert Notice.objects.get().user_id == world.users["member"]
    # The event comes again, as after a crash of the relay; and so do the jobs.
    OutboxEvent.objects.filter(type="build.failed").update(delivered_at=None)
    deliver()
    work()
    assert len(box.mails) == 1
    assert Notice.objects.count() == 1


@pytest.mark.committed
@pytest.mark.django_db(transaction=True)
def test_a_mail_whose_worker_is_killed_before_the_servers_answer_is_not_sent_again(box: Letterbox) -> None:
    world = settled(make_world())
    fail_a_build(world)
    deliver()
    mail_id, box.silent = Mail.objects.get().id, True
    code = f"import django; django.setup(); from imagefactory.entry.jobs import mail; mail.send('{mail_id}')"
    database = embedded_url(environment.database(), "owner", str(connection.settings_dict["NAME"]))
    worker = subprocess.Popen(
        [sys.executable, "-c", code],
        env={
            **os.environ, "IMAGEFACTORY_TEST_DATABASE_URL": database,
            "DJANGO_SETTINGS_MODULE": "imagefactory.settings.django", "PYTHONPATH": str(SOURCE),
        },
    )  # fmt: skip
    try:
        assert box.took.wait(60)
    finally:
        worker.kill()
        worker.wait(10)
    box.silent = False
    assert Mail.objects.get().status == "sending"
    assert sending.send_due(mailer()) == 0
    Mail.objects.update(claimed_at=now() - 2 * sending.CLAIM_LIFE)
    work()
    assert sending.send_due(mailer()) == 0
    assert len(box.mails) == 1
    mail = Mail.objects.get()
    assert (mail.status, mail.attempts) == ("uncertain", 1)


def test_the_person_of_the_newest_attempt_is_told_and_nobody_else(world: World) -> None:
    build = submit_build(world.actor("owner"), world.project.id, INLINE)
    _fail_next()
    deliver()
    Notice.objects.all().delete()
    rerun_build(world.actor("member"), build.id, {})
    _fail_next()
    deliver()
    assert [n.user_id for n in Notice.objects.all()] == [world.users["member"]]


def test_who_left_the_team_or_lost_the_account_is_not_told(world: World) -> None:
    settled(world)
    fail_a_build(world, "member")
    fail_a_build(world, "admin")
    Membership.objects.filter(user_id=world.users["member"]).delete()
    User.objects.filter(id=world.users["admin"]).update(is_active=False)
    deliver()
    assert not Notice.objects.exists()
    assert not Mail.objects.exists()


def test_who_wants_no_mail_of_builds_sees_it_in_the_pages(world: World) -> None:
    settled(world)
    set_email_groups(world.actor("member"), {"builds": False})
    fail_a_build(world)
    deliver()
    assert Notice.objects.count() == 1
    assert not Mail.objects.exists()


def test_a_composer_that_fails_holds_up_neither_the_record_nor_the_others(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(_event: object) -> list[object]:
        raise KeyError("a field that is not there")

    monkeypatch.setitem(table.COMPOSERS, "build.started", broken)
    settled(world)
    fail_a_build(world)
    deliver()
    assert not OutboxEvent.objects.filter(delivered_at=None).exists()
    assert AuditEntry.objects.filter(type="build.started").count() == 1
    assert Notice.objects.count() == 1
    assert "nobody is told of event" in caplog.text


def test_without_a_server_in_the_settings_there_is_no_mailer() -> None:
    assert mailer() is None
