"""Every page of the administration for every system role; and what system roles add to a team's own pages: nothing."""

from __future__ import annotations

import re

import pytest
from allauth.mfa.models import Authenticator
from django.test import Client

from imagefactory.domain.identity.models import Membership, Tenant, User
from imagefactory.kernel.outbox.models import OutboxEvent
from tests.conftest import World
from tests.pages.system_pages import SYSTEM_FORMS, SYSTEM_PAGES, SYSTEM_ROLES, Installation, make_administrators
from tests.pages.test_links import crawl
from tests.pages.test_pages import PAGES, ROLES, Scene


@pytest.fixture
def installation(world: World) -> Installation:
    return Installation(world, make_administrators())


@pytest.mark.parametrize("role", SYSTEM_ROLES)
def test_each_system_role_gets_each_page_as_the_table_says(installation: Installation, role: str) -> None:
    browser, column = installation.browser(role), SYSTEM_ROLES.index(role)
    for name, statuses in SYSTEM_PAGES.items():
        answer = browser.get(installation.address(name))
        assert answer.status_code == statuses[column], (name, answer.getvalue()[:600])
        assert b"INVALID-VARIABLE" not in answer.getvalue(), (name, answer.getvalue())


@pytest.mark.parametrize("role", SYSTEM_ROLES)
@pytest.mark.parametrize("name", SYSTEM_FORMS)
def test_each_system_role_may_send_each_form_as_the_table_says(
    installation: Installation, role: str, name: str
) -> None:
    statuses = SYSTEM_FORMS[name][1]
    answer = installation.browser(role).post(installation.address(name), installation.form(name))
    assert answer.status_code == statuses[SYSTEM_ROLES.index(role)], answer.content[:900]


@pytest.mark.parametrize("role", ["security_reviewer", "read_only_administrator", "administrator"])
def test_a_system_role_opens_no_page_of_a_team_that_its_holder_is_not_in(installation: Installation, role: str) -> None:
    scene, browser, stranger = Scene(installation.world), installation.browser(role), ROLES.index("stranger")
    for name, statuses in PAGES.items():
        if statuses[stranger] == 404 and not name.startswith("admin-"):
            assert browser.get(scene.address(name)).status_code == 404, name


def test_the_pages_of_one_person_add_up(installation: Installation) -> None:
    owner = installation.world.users["owner"]
    User.objects.filter(id=owner).update(is_system_admin=True, is_reviewer=True)
    page = installation.browser("owner").get(f"/t/{installation.world.tenant_slug}/").content.decode()
    side = page[page.index('<nav class="side"') :]
    for entry in ("Builds", "Projects", "Settings", "All teams", "All people", "System roles"):
        assert f">{entry}<" in side or f"{entry}</a>" in side, entry
    assert installation.browser("owner").get("/admin/").status_code == 200


def test_who_holds_no_system_role_is_told_the_same_as_of_a_page_that_never_was(installation: Installation) -> None:
    browser = installation.browser("owner")
    real, never = browser.get("/admin/"), browser.get("/admin-never/")
    assert real.status_code == never.status_code == 404
    marks = r"[0-9a-f-]{16,36}|value=\"[\w/-]+\"|content=\"\w+\"|data-now=\"\d+\""
    body = [re.sub(marks, "", r.content.decode()) for r in (real, never)]
    assert body[0] == body[1]


@pytest.mark.parametrize("role", ["read_only_administrator", "administrator"])
def test_no_page_of_the_administration_has_a_dead_end(installation: Installation, role: str) -> None:
    installation.waiting_team()
    pages = crawl(installation.browser(role), "/admin/")
    assert len(pages) > 10
    for address, text in pages.items():
        assert text.count("<h1") == 1, address
        assert text.count('class="btn primary') + text.count("btn danger") <= 1 + text.count("<dialog"), address
        assert "INVALID-VARIABLE" not in text, address


def test_a_refused_form_keeps_what_was_typed_and_says_what_is_wrong(installation: Installation) -> None:
    browser, name = installation.browser("administrator"), "admin-tenant-act"
    answer = browser.post(installation.address(name), {"reason": "  "})
    assert answer.status_code == 422
    assert "Give the reason" in answer.content.decode()
    state = Tenant.objects.get(id=installation.world.tenant_id).state
    assert state == "active"
    answer = browser.post(installation.address("admin-tenant-delete"), {"confirm": "wrong", "reason": "a good reason"})
    assert answer.status_code == 422
    assert "a good reason" in answer.content.decode()
    assert Membership.objects.filter(tenant_id=installation.world.tenant_id).count() == 4


def test_lost_second_factors_are_taken_and_offered_only_where_there_are_some(installation: Installation) -> None:
    browser, member = installation.browser("administrator"), installation.world.users["member"]
    page = f"/admin/people/{member}"
    assert "Take second factors" not in browser.get(page).content.decode()
    Authenticator.objects.create(user_id=member, type="webauthn", data={"name": "key", "credential": {}})
    assert "Take second factors" in browser.get(page).content.decode()
    act = f"{page}/reset-second-factors"
    assert browser.post(act, {"reason": ""}).status_code == 422
    assert Authenticator.objects.filter(user_id=member).exists()
    assert browser.post(act, {"reason": "lost the key, seen in person"})["Location"] == page
    assert not Authenticator.objects.filter(user_id=member).exists()
    told = OutboxEvent.objects.get(type="member.account_helped")
    assert (told.payload["what"], told.payload["reason"]) == ("reset_second_factors", "lost the key, seen in person")


def test_the_sections_of_a_teams_settings_lead_only_where_one_may_go(installation: Installation) -> None:
    world, found = installation.world, {}
    for role in ("owner", "admin", "member", "viewer"):
        browser = Client()
        browser.force_login(User.objects.get(id=world.users[role]))
        page = browser.get(f"/t/{world.tenant_slug}/settings/roles").content.decode()
        nav = page[page.index('aria-label="Sections of the settings"') :].partition("</nav>")[0]
        found[role] = re.findall(r'href="[^"]*/settings/([a-z-]+)"', nav)
        for key in found[role]:
            answer = browser.get(f"/t/{world.tenant_slug}/settings/{key}")
            assert answer.status_code == 200, (role, key)
            assert f'/settings/{key}" aria-current="page"' in answer.content.decode(), (role, key)
    assert found["owner"] == [
        "general", "capabilities", "sign-in", "ci", "roles", "service-accounts", "keys", "network", "danger",
    ]  # fmt: skip
    assert found["admin"] == ["general", "capabilities", "roles", "service-accounts", "network", "danger"]
    assert found["member"] == found["viewer"] == ["general", "capabilities", "roles", "network", "danger"]
