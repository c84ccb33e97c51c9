"""What the tests of provider sign-in share."""

from __future__ import annotations

from imagefactory.domain.identity import selectors
from imagefactory.domain.identity.models import User
from imagefactory.kernel.actor import Actor
from tests.conftest import World


def administrator(world: World) -> Actor:
    """Return a system administrator: the stranger, who belongs to another team."""
    User.objects.filter(id=world.users["stranger"]).update(is_system_admin=True)
    return selectors.actor_for_user(world.users["stranger"])


def email_of(world: World, role: str) -> str:
    return User.objects.values_list("email", flat=True).get(id=world.users[role])
