"""The lists of the administration take the same number of queries for one team and for twenty."""

from __future__ import annotations

from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from imagefactory.domain.identity.models import Membership, Tenant, User
from tests.conftest import World
from tests.pages.system_pages import make_administrators


def _counts(world: World, browser: Client) -> dict[str, int]:
    found = {}
    person = world.users["member"]
    for address in ("/admin/", "/admin/tenants", f"/admin/tenants/{world.tenant_slug}", "/admin/people", f"/admin/people/{person}",
                    "/admin/roles"):  # fmt: skip
        browser.get(address)
        with CaptureQueriesContext(connection) as queries:
            assert browser.get(address).status_code == 200, address
        found[address] = len(queries)
    return found


def test_lists_of_the_administration_take_as_many_queries_for_twenty_teams_as_for_a_few(world: World) -> None:
    browser = Client()
    browser.force_login(User.objects.get(id=make_administrators()["administrator"]))
    few = _counts(world, browser)
    for n in range(20):
        made = Tenant.objects.create(
            slug=f"more-{n}", name=f"More {n}", state="awaiting_approval" if n % 2 else "active"
        )
        user = User.objects.create_user(f"more-{n}@example.com", name=f"Person {n}", is_reviewer=True)
        Membership.objects.create(tenant=made, user=user)
        Membership.objects.create(tenant_id=world.tenant_id, user=user)
        Membership.objects.create(tenant=made, user_id=world.users["member"])
    assert _counts(world, browser) == few
