"""Break-ins through an account: what a stolen key must not do to its owner, and how often a password is guessed."""

from __future__ import annotations

import pytest
from django.test import Client

from imagefactory.domain.identity import services as people
from imagefactory.domain.identity.errors import WrongCredentials
from imagefactory.domain.identity.models import Tenant, User
from imagefactory.domain.identity.selectors import user_with_email
from imagefactory.kernel.actor import Actor, ActorKind
from imagefactory.kernel.errors import RateLimited
from imagefactory.kernel.throttle.check import origin
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


def _tried(email: str, address: str) -> str:
    who = Actor(ActorKind.USER, "someone", address=address)
    try:
        people.verify_password(who, email=email, password="not this one")
    except RateLimited:
        return "too often"
    except WrongCredentials:
        return "wrong"
    return "in"


def test_a_guesser_counts_as_one_over_a_whole_ipv6_network(world: World) -> None:
    email = User.objects.get(id=world.users["owner"]).email
    tries = [_tried(email, f"2001:db8:1:2::{n:x}") for n in range(1, 13)]
    assert tries == ["wrong"] * 10 + ["too often"] * 2
    assert _tried(email, "2001:db8:1:3::1") == "wrong"
    assert _tried(email, "192.0.2.1") == "wrong"


def test_other_spellings_of_an_address_are_no_more_tries(world: World) -> None:
    """Where the look-up takes the long s for an S, all of these are one account; where not, it is nobody's."""
    name, _, host = User.objects.get(id=world.users["stranger"]).email.partition("@")
    spellings = [name.replace("s", "ſ", 1), name.upper(), f" {name}"]
    tries = [_tried(f"{spellings[n % 3]}@{host}", "192.0.2.7") for n in range(36)]
    same = user_with_email(f"{spellings[0]}@{host}") is not None
    assert tries.count("wrong") == (10 if same else 20)


@pytest.mark.parametrize(
    ("address", "counts_for"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8::1", "2001:db8::/64"),
        ("", "local"),
        ("a proxy's word", "a proxy's word"),
    ],
)
def test_whom_attempts_count_for(address: str, counts_for: str) -> None:
    assert origin(address) == counts_for
