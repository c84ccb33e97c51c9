"""Break-ins through an account: what a stolen key must not do to its owner."""

from __future__ import annotations

import pytest
from django.test import Client

from imagefactory.domain.identity import services as people
from imagefactory.domain.identity.models import Tenant, User
from tests.conftest import PASSWORD, World

FORMS = {
    "/me/profile": {"name": "Taken over", "time_zone": "UTC"},
    "/me/password": {"old_password": PASSWORD, "new_password": "another horse battery"},
    "/tenants/new": {"name": "Taken over", "slug": "taken-over"},
}


def _state(world: World) -> tuple[object, int]:
    owner = User.objects.get(id=world.users["owner"])
    return (owner.name, owner.password), Tenant.objects.count()


@pytest.mark.parametrize("page", FORMS)
def test_a_key_changes_nothing_of_its_owners_account(world: World, page: str) -> None:
    _, key = people.create_api_key(world.actor("owner"), name="narrow", scopes=["project:view"])
    before = _state(world)
    answer = Client().post(page, FORMS[page], headers={"Authorization": f"Bearer {key}"})
    assert answer.status_code == 403
    assert "API key" in answer.content.decode()
    assert _state(world) == before


@pytest.mark.parametrize("page", FORMS)
def test_the_person_does_all_of_that(world: World, page: str) -> None:
    client = Client()
    client.force_login(User.objects.get(id=world.users["owner"]))
    before = _state(world)
    assert client.post(page, FORMS[page]).status_code == 302
    assert _state(world) != before
