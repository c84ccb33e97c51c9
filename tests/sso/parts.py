"""What the tests of provider sign-in share."""

from __future__ import annotations

import dataclasses
import tempfile
import uuid
from pathlib import Path
from typing import Any

from imagefactory.domain.identity import selectors, services
from imagefactory.domain.identity.models import ExternalIdentity, User
from imagefactory.kernel.actor import Actor, system
from tests.conftest import World
from tests.parties.certificates import self_signed


def administrator(world: World) -> Actor:
    """Return a system administrator: the stranger, who belongs to another team."""
    User.objects.filter(id=world.users["stranger"]).update(is_system_admin=True)
    return selectors.actor_for_user(world.users["stranger"])


def email_of(world: World, role: str) -> str:
    return User.objects.values_list("email", flat=True).get(id=world.users[role])


@dataclasses.dataclass(frozen=True)
class SignInParts:
    """One of each thing of a team's sign-in settings, and a provider of the installation."""

    directory: uuid.UUID
    saml: uuid.UUID
    shared: uuid.UUID
    identity: uuid.UUID
    trust: uuid.UUID


def directory_form(name: str = "Directory", **more: Any) -> services.ProviderForm:
    """Return a directory that is not there."""
    settings = {"url": "ldaps://127.0.0.1:9", "user_base": "dc=example"}
    return services.ProviderForm(name, settings, domains=["example.com"], **more)


def sign_in_parts(world: World) -> SignInParts:
    owner = world.actor("owner")
    with tempfile.TemporaryDirectory() as place:
        certificate = self_signed(Path(place), "idp")[1].read_text()
    saml = services.ProviderForm(
        "SAML",
        {"entity_id": "idp", "sso_url": "https://idp.example.com/sso", "certificate": certificate},
        domains=["example.com"],
    )
    directory = services.create_provider(owner, "ldap", directory_form())
    rule = services.CiTrustForm(
        "app", "https://ci.example.com", "factory", {"repository": "shop/app"}, [world.project.id], ["project:view"]
    )
    named = f"Shared {world.tenant_slug}"
    return SignInParts(
        directory,
        services.create_provider(owner, "saml", saml),
        services.create_provider(system("tests"), "ldap", directory_form(named), of_installation=True),
        ExternalIdentity.objects.create(provider_id=directory, user_id=world.users["owner"], subject="x").id,
        services.create_ci_trust(owner, rule),
    )
