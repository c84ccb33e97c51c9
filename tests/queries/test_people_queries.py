"""The pages and lists of a team take the same number of queries for one member more and for twenty."""

from __future__ import annotations

from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from imagefactory.domain.identity import selectors, services
from imagefactory.domain.identity.models import AccessRequest, Membership, User
from imagefactory.domain.identity.services import members as members_module
from imagefactory.domain.projects.services import create_project
from tests.conftest import World

PAGES = ("people", "people/invitations", "people/invitations/new", "people/requests", "settings/roles",
         "p/checkout-api/settings/people")  # fmt: skip
LISTS = ("/members", "/invitations", "/roles", "/access-requests", "/projects/checkout-api/members")


def grow(world: World, first: int, count: int) -> None:
    owner = world.actor("owner")
    for n in range(first, first + count):
        role = services.create_role(owner, name=f"Role {n}", scope="project", permissions=["project:view"])
        project = create_project(owner, name=f"Project {n}")
        user = User.objects.create_user(f"m{n}@example.org", None, name=f"Person {n:03}")
        Membership.objects.create(tenant_id=world.tenant_id, user=user, invited_by_id=owner.person)
        for place in (project.id, world.project.id):
            services.set_project_role(owner, user.id, place, str(role.id))
        services.invite(owner, addresses=f"i{n}@example.org", role=str(role.id), projects=[project.id])
        services.request_access(selectors.actor_for_user(user.id), "build:start", project.id)


def counts(world: World) -> dict[str, int]:
    browser, found = Client(), {}
    browser.force_login(User.objects.get(id=world.users["owner"]))
    headers = {"X-Tenant-ID": world.tenant_slug}
    for address in [*(f"/t/{world.tenant_slug}/{p}" for p in PAGES), *(f"/api/v1{p}" for p in LISTS)]:
        browser.get(address, headers=headers)  # the first visit notes that the person was here
        with CaptureQueriesContext(connection) as queries:
            assert browser.get(address, headers=headers).status_code == 200, address
        found[address] = len(queries)
    return found


def test_lists_of_people_take_the_same_queries_however_many_there_are(world: World) -> None:
    grow(world, 0, 1)
    few = counts(world)
    grow(world, 1, 20)
    assert Membership.objects.filter(tenant_id=world.tenant_id).count() == 25
    assert AccessRequest.objects.count() == 21
    assert counts(world) == few
    assert max(few.values()) < 30, few


def test_a_member_page_takes_the_same_queries_however_many_projects_there_are(world: World) -> None:
    grow(world, 0, 1)
    browser, found = Client(), []
    browser.force_login(User.objects.get(id=world.users["owner"]))
    address = f"/t/{world.tenant_slug}/people/{world.users['member']}"
    for count in (0, 20):
        grow(world, 1, count)
        browser.get(address)
        with CaptureQueriesContext(connection) as queries:
            assert browser.get(address).status_code == 200
        found.append(len(queries))
    assert found[0] == found[1]
    assert members_module.ACTIVE_EVERY.total_seconds() >= 60
