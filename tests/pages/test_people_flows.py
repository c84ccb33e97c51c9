"""What people do on the pages of a team: join by a link that leaks nowhere, give roles, ask for access and decide."""

from __future__ import annotations

import logging
import re

import pytest
from django.contrib.sessions.models import Session
from django.test import Client

from imagefactory.domain.identity import services
from imagefactory.domain.identity.models import AccessRequest, CustomRole, Invitation, Membership, RoleBinding, User
from imagefactory.domain.projects.services import create_project
from imagefactory.kernel.outbox.models import OutboxEvent
from tests.conftest import PASSWORD, World

JOIN = {"name": "Nora Berg", "password": "silver-spoon-8", "time_zone": "Europe/Oslo"}


def as_(world: World, role: str) -> Client:
    made = Client(raise_request_exception=False)
    made.force_login(User.objects.get(id=world.users[role]))
    return made


def invite(world: World, to: str = "nora@example.org") -> services.Sent:
    return services.invite(
        world.actor("owner"), addresses=to, role="member", projects=[world.project.id], message="Hello <b>you</b>"
    )[0]


def text(answer: object) -> str:
    return answer.getvalue().decode()  # type: ignore[attr-defined,no-any-return]


def test_a_newcomer_joins_through_the_link_and_is_signed_in(world: World) -> None:
    sent, browser = invite(world), Client()
    page = text(browser.get(sent.path))
    assert "Owner invites nora@example.org" in page
    assert "Start builds" in page
    assert "Cancel builds" not in page
    assert "Hello &lt;b&gt;you&lt;/b&gt;" in page
    wrong = browser.post(sent.path, JOIN | {"password": "short"})
    assert wrong.status_code == 422
    assert "Nora Berg" in text(wrong)
    done = browser.post(sent.path, JOIN, follow=True)
    assert done.redirect_chain[-1][0] == f"/t/{world.tenant_slug}/"
    assert User.objects.get(email="nora@example.org").time_zone == "Europe/Oslo"
    assert text(Client().get(sent.path)).count("works only once") == 1


def test_the_link_goes_to_no_other_site_no_cache_and_no_log(world: World, caplog: pytest.LogCaptureFixture) -> None:
    sent = invite(world)
    with caplog.at_level(logging.INFO):  # below stands every statement to the database, with the tests' own asking
        for browser, method in ((Client(), "get"), (Client(), "post"), (as_(world, "viewer"), "post")):
            answer = getattr(browser, method)(sent.path)
            assert answer["Referrer-Policy"] == "strict-origin"
            assert answer["Cache-Control"] == "no-store"
            assert sent.path not in str(answer.headers)
        services.cancel_invitation(world.actor("owner"), sent.invitation.id)
        assert Client().get(sent.path).status_code == 409
    assert sent.path not in caplog.text
    assert sent.path.rpartition("/")[2] not in str(list(OutboxEvent.objects.values_list("payload", flat=True)))


def test_a_forged_link_an_unknown_one_and_no_link_read_alike(world: World) -> None:
    sent = invite(world)
    pages = set()
    for path in (f"{sent.path[:-2]}zz", f"/invite/{'0' * 32}.{'A' * 43}", "/invite/what"):
        answer = Client().get(path)
        assert answer.status_code == 404
        pages.add(re.sub(r'"[A-Za-z0-9]{64}"|data-now="[0-9]+"', "", text(answer).replace(path, "")))
    assert len(pages) == 1
    assert "Ask for a new one" not in pages.pop()


def test_someone_with_an_account_signs_in_first_and_comes_back(world: World) -> None:
    email = world.actor("stranger").email
    sent, browser = invite(world, email), Client()
    assert f"Sign in as {email}" in text(browser.get(sent.path))
    assert browser.post(sent.path, {"sign-in": "1"})["Location"] == "/login"
    assert not Session.objects.filter(session_data__contains="invite").exists()  # the link is stored nowhere
    browser.post("/login", {"email": email, "password": PASSWORD})
    browser.cookies["invited_to"], kept = "//evil.example/", browser.cookies["invited_to"].value
    assert "evil" not in browser.get("/")["Location"]
    browser.cookies["invited_to"] = kept
    back = browser.get("/")
    assert back["Location"] == sent.path
    assert "Continue as Stranger" in text(browser.get(sent.path))
    assert browser.post(sent.path)["Location"] == f"/t/{world.tenant_slug}/"
    assert Membership.objects.filter(tenant_id=world.tenant_id, user_id=world.users["stranger"]).exists()


def test_someone_else_is_told_and_can_switch(world: World) -> None:
    sent, browser = invite(world), as_(world, "viewer")
    page = text(browser.get(sent.path))
    assert "this invitation is for nora@example.org" in page
    refused = browser.post(sent.path)
    assert refused.status_code == 409
    browser.post(sent.path, {"switch": "1"})
    assert "Create account and join" in text(browser.get(sent.path))


def test_a_dead_link_can_ask_for_a_new_one_once_a_day(world: World) -> None:
    sent, browser = invite(world), Client()
    services.cancel_invitation(world.actor("owner"), sent.invitation.id)
    assert "Ask for a new one" in text(browser.get(sent.path))
    assert browser.post(sent.path, {"again": "1"})["Location"] == "/login"
    assert browser.post(sent.path, {"again": "1"}).status_code == 429
    assert OutboxEvent.objects.filter(type="invitation.asked_again").count() == 1


def test_without_mail_the_links_are_shown_once_to_their_maker(world: World) -> None:
    browser, base = as_(world, "owner"), f"/t/{world.tenant_slug}/people/invitations"
    made = browser.post(
        f"{base}/new",
        {"addresses": "a@example.org\nb@example.org", "role": "viewer", "projects": "checkout-api", "days": "3"},
    )
    links = re.findall(r"(/invite/[^<\"\s]+)</code>", text(made))
    assert len(links) == 2
    assert all(Client().get(link).status_code == 200 for link in links)
    assert "/invite/" not in text(browser.get(base))
    assert Invitation.objects.filter(link_was_shown=True).count() == 2


def test_a_form_with_a_wrong_address_keeps_what_was_typed(world: World) -> None:
    answer = as_(world, "admin").post(
        f"/t/{world.tenant_slug}/people/invitations/new",
        {
            "addresses": "good@example.org\nbad",
            "role": "viewer",
            "projects": "checkout-api",
            "days": "3",
            "message": "Hi",
        },
    )
    page = text(answer)
    assert answer.status_code == 422
    assert "bad is not an e-mail address" in page
    assert "good@example.org\nbad" in page
    assert not Invitation.objects.exists()


def test_roles_change_in_one_form_and_the_last_owner_keeps_theirs(world: World) -> None:
    browser = as_(world, "owner")
    address = f"/t/{world.tenant_slug}/people/{world.users['member']}"
    assert 'name="tenant"' in text(browser.get(address))
    browser.post(address, {"tenant": "owner", f"p-{world.project.id}": "viewer"})
    assert world.actor("member").role == "owner"
    browser.post(address, {"tenant": "", f"p-{world.project.id}": "viewer"})
    mine = f"/t/{world.tenant_slug}/people/{world.users['owner']}"
    refused = browser.post(mine, {"tenant": ""})
    assert refused.status_code == 422
    assert "last owner" in text(refused)
    assert world.actor("member").role == "viewer"


def test_an_admin_is_offered_only_what_they_may_give(world: World) -> None:
    create_project(world.actor("owner"), name="Hidden one")
    page = text(as_(world, "admin").get(f"/t/{world.tenant_slug}/people/{world.users['member']}"))
    assert 'name="tenant"' not in page
    assert page.count("<select") == 1
    assert "Hidden one" not in page
    invitation = text(as_(world, "admin").get(f"/t/{world.tenant_slug}/people/invitations/new"))
    assert 'value="owner"' not in invitation


def test_a_removal_names_what_it_does_before_it_is_done(world: World) -> None:
    world.token("admin")
    address = f"/t/{world.tenant_slug}/people/{world.users['admin']}/remove"
    page = text(as_(world, "owner").get(address))
    assert "1 API key stops working" in page
    assert "Checkout API" in page
    gone = as_(world, "admin")
    as_(world, "owner").post(address, {"reason": "Moved on"})
    assert gone.get(f"/t/{world.tenant_slug}/").status_code == 404


def test_leaving_is_refused_to_the_last_owner_with_the_reason(world: World) -> None:
    page = text(as_(world, "owner").get(f"/t/{world.tenant_slug}/people/leave"))
    assert "You are the last owner" in page
    assert "btn danger" not in page
    assert as_(world, "member").post(f"/t/{world.tenant_slug}/people/leave")["Location"] == "/"


def test_a_refused_page_asks_for_access_and_the_owner_grants_it_there(world: World) -> None:
    browser, start = as_(world, "viewer"), f"/t/{world.tenant_slug}/p/checkout-api/builds/new"
    page = text(browser.get(start))
    assert "Ask for access" in page
    form = dict(re.findall(r'<input type="hidden" name="(permission|project)" value="([^"]*)"', page))
    assert form == {"permission": "build:start", "project": "checkout-api"}
    asked = browser.post(f"/t/{world.tenant_slug}/people/requests/new", form | {"message": "For the release"})
    assert asked.status_code == 302
    again = browser.post(f"/t/{world.tenant_slug}/people/requests/new", form)
    assert again.status_code == 409
    boss, base = as_(world, "admin"), f"/t/{world.tenant_slug}/people/requests"
    page = text(boss.get(base))
    assert "For the release" in page
    row = AccessRequest.objects.get()
    boss.post(f"{base}/{row.id}", {"grant": "1", "role": "member"})
    assert browser.get(start).status_code == 200
    late = boss.post(f"{base}/{row.id}", {"decline": "1"})
    assert late.status_code == 409
    assert "granted already by Admin" in text(late)


def test_someone_without_a_project_is_offered_to_ask(world: World) -> None:
    services.set_project_role(world.actor("owner"), world.users["viewer"], world.project.id, None)
    browser = as_(world, "viewer")
    overview = text(browser.get(f"/t/{world.tenant_slug}/"))
    assert f"/t/{world.tenant_slug}/people/requests/new" in overview
    page = text(browser.get(f"/t/{world.tenant_slug}/people/requests/new"))
    assert "Owner can decide" in page
    browser.post(f"/t/{world.tenant_slug}/people/requests/new", {"permission": "project:view"})
    assert "nobody has decided yet" in text(browser.get(f"/t/{world.tenant_slug}/people/requests/new"))


def test_no_request_is_offered_where_no_role_would_help(world: World) -> None:
    page = text(Client().get("/t/nowhere/"))
    assert "Ask for access" not in page
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(User.objects.get(id=world.users["viewer"]))
    browser.get(f"/t/{world.tenant_slug}/")
    stale = browser.post(f"/t/{world.tenant_slug}/people/leave")
    assert stale.status_code == 403
    assert "Ask for access" not in text(stale)


def test_a_role_is_made_changed_after_its_difference_was_shown_and_replaced(world: World) -> None:
    browser, base = as_(world, "owner"), f"/t/{world.tenant_slug}/settings/roles"
    browser.post(f"{base}/new", {"name": "Release", "scope": "project", "permissions": ["project:view", "build:view"]})
    role = CustomRole.objects.get()
    services.set_project_role(world.actor("owner"), world.users["member"], world.project.id, str(role.id))
    change = {"name": "Release", "version": "1", "permissions": ["project:view", "build:start"]}
    shown = text(browser.post(f"{base}/{role.id}", change))
    assert "Gains: Start builds" in shown
    assert "Loses: View builds" in shown
    assert "Member (Checkout API)" in shown
    assert CustomRole.objects.get().version == 1
    browser.post(f"{base}/{role.id}", change | {"confirmed": "1"})
    assert world.actor("member").may("build:start", world.project.id)
    stale = browser.post(f"{base}/{role.id}", change | {"confirmed": "1", "name": "Other"})
    assert stale.status_code == 422
    refused = browser.post(f"{base}/{role.id}/delete", {"replacement": ""})
    assert refused.status_code == 422
    assert "held by Member" in text(refused)
    browser.post(f"{base}/{role.id}/delete", {"replacement": "viewer"})
    assert world.actor("member").role == "viewer"


def test_the_people_of_a_project_are_given_roles_there(world: World) -> None:
    browser, address = as_(world, "admin"), f"/t/{world.tenant_slug}/p/checkout-api/settings/people"
    page = text(browser.get(address))
    assert "Owner of the team" in page
    browser.post(address, {"person": str(world.users["viewer"]), "role": "member"})
    assert world.actor("viewer").role == "member"
    browser.post(address, {"person": str(world.users["viewer"]), "role": ""})
    assert not RoleBinding.objects.filter(user_id=world.users["viewer"], tenant_id=world.tenant_id).exists()
    for wrong in ({"person": "me", "role": "member"}, {"person": str(world.users["stranger"]), "role": "member"}):
        assert browser.post(address, wrong).status_code == 422
    assert "Role here" not in text(as_(world, "viewer").get(address))
