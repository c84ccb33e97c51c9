"""What people are told of their teams: to whom, with which link, and what is never in it."""

from __future__ import annotations

import json

import pytest
from django.test import Client

from imagefactory.domain.identity import services
from imagefactory.domain.identity.models import Invitation
from imagefactory.domain.notifications.models import Mail, Notice
from imagefactory.entry.jobs.outbox import deliver_batch
from imagefactory.kernel import env, secrets
from imagefactory.kernel.actor import Actor, ActorKind
from tests.conftest import PASSWORD, World


@pytest.fixture(autouse=True)
def _with_mail(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IMAGEFACTORY_MAIL_HOST", "127.0.0.1")
    settings = env.read()
    monkeypatch.setattr(env, "get", lambda: settings)


def deliver() -> list[tuple[str, str, str]]:
    """Deliver all events; return address, subject and the path of each mail that is new."""
    seen = set(Mail.objects.values_list("id", flat=True))
    while deliver_batch():
        pass
    found = []
    for mail in Mail.objects.exclude(id__in=seen).order_by("created_at"):
        body = json.loads(secrets.decrypt(bytes(mail.body or b"")))
        found.append((mail.address, mail.subject, (body["action"] or ["", ""])[1]))
    return found


def test_an_invitation_goes_by_mail_with_its_link_and_into_no_notice(world: World) -> None:
    deliver()
    sent = services.invite(
        world.actor("owner"), addresses="nora@example.org", role="member", projects=[world.project.id]
    )[0]
    (mail,) = deliver()
    assert mail == ("nora@example.org", f"Owner invites you to {world.tenant_slug}", sent.path)
    assert Client().get(mail[2]).status_code == 200
    assert not Notice.objects.filter(path__startswith="/invite").exists()


def test_a_letter_that_was_overtaken_is_not_sent(world: World) -> None:
    deliver()
    owner = world.actor("owner")
    sent = services.invite(owner, addresses="nora@example.org", role="member", projects=[world.project.id])[0]
    again = services.resend_invitation(owner, sent.invitation.id)
    assert [path for _, _, path in deliver()] == [again.path]
    other = services.invite(owner, addresses="ivo@example.org", role="member", projects=[world.project.id])[0]
    services.cancel_invitation(owner, other.invitation.id)
    assert deliver() == []


def test_the_inviter_hears_of_an_acceptance_and_of_a_wish_for_a_new_link(world: World) -> None:
    owner, nobody = world.actor("owner"), Actor(ActorKind.USER, "someone", address="192.0.2.3")
    sent = services.invite(owner, addresses="nora@example.org", role="member", projects=[world.project.id])[0]
    lost = services.invite(owner, addresses="ivo@example.org", role="member", projects=[world.project.id])[0]
    services.accept_with_new_account(nobody, sent.path.rpartition("/")[2], name="Nora", password=PASSWORD)
    Invitation.objects.filter(id=lost.invitation.id).update(void_because="A project that it was for was deleted.")
    services.ask_again(nobody, lost.path.rpartition("/")[2])
    deliver()
    told = set(Notice.objects.filter(user_id=owner.person).values_list("subject", flat=True))
    assert {f"Nora joined {world.tenant_slug}", "ivo@example.org asks for a new invitation"} <= told


def test_a_role_a_removal_and_a_decision_are_told_to_the_person(world: World) -> None:
    owner = world.actor("owner")
    deliver()
    services.set_project_role(owner, world.users["member"], world.project.id, "admin")
    asked = services.request_access(world.actor("viewer"), "build:start", world.project.id, message="Please")
    services.decline_access(owner, asked.id, reason="Not yet")
    services.remove_member(owner, world.users["admin"], reason="Moved on")
    address = world.actor("stranger").email.replace("stranger", "admin").partition("-")[0]
    mails = {(to.partition("-")[0], subject) for to, subject, _ in deliver()}
    assert ("member", "Your role in Checkout API is now Admin") in mails
    assert ("viewer", "Your request for access to Checkout API was declined") in mails
    assert (address, f"You are no longer in {world.tenant_slug}") in mails
    assert {to for to, subject in mails if subject == "Viewer asks for access to Checkout API"} == {"owner", "member"}


def test_nobody_is_told_of_what_they_did_themselves(world: World) -> None:
    deliver()
    services.set_project_role(world.actor("admin"), world.users["admin"], world.project.id, "viewer")
    services.leave_team(world.actor("member"))
    assert deliver() == []
