"""Break-ins by being quick: two things at the same moment, in real threads over real connections."""

from __future__ import annotations

import threading

import pytest
from django.db import connection

from imagefactory.domain.identity import services
from imagefactory.domain.identity.models import ExternalIdentity, IdentityProvider, Membership, ProviderRole, User
from imagefactory.domain.identity.services import assertions
from imagefactory.domain.identity.services.provider_roles import apply_roles
from imagefactory.kernel.actor import Actor, ActorKind
from imagefactory.kernel.errors import FactoryError
from tests.conftest import make_world

pytestmark = [pytest.mark.committed, pytest.mark.django_db(transaction=True)]


def test_who_signs_in_while_they_are_removed_is_no_member_afterwards(
    transactional_db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sign-in found them a member, and stops there until the removal is over, or waits for it."""
    team = make_world()
    provider = IdentityProvider.objects.create(
        tenant_id=team.tenant_id, kind="ldap", name="Directory", enabled=True, domains=["example.com"],
        configuration={"url": "ldaps://127.0.0.1:9", "user_base": "dc=example"},
    )  # fmt: skip
    ProviderRole.objects.create(
        provider=provider, tenant_id=team.tenant_id, group="staff", role="member", project_id=team.project.id
    )
    member = User.objects.get(id=team.users["member"])
    ExternalIdentity.objects.create(provider=provider, user=member, subject="m")
    found, removed = threading.Event(), threading.Event()

    def late(*given: object) -> None:
        found.set()
        removed.wait(3)  # a removal that waits for this sign-in comes after it, and that is fine too
        apply_roles(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(assertions, "apply_roles", late)

    def sign_in() -> None:
        try:
            said = assertions.Assertion("m", member.email, email_verified=True, groups=["staff"])
            assertions.accept_assertion(Actor(ActorKind.USER, "someone", address="192.0.2.1"), provider.id, said)
        except FactoryError:
            pass
        finally:
            connection.close()

    thread = threading.Thread(target=sign_in)
    thread.start()
    assert found.wait(30)
    remover = team.actor("owner")
    services.remove_member(remover, member.id)
    removed.set()
    thread.join(60)
    assert not thread.is_alive()
    assert not Membership.objects.filter(tenant_id=team.tenant_id, user=member).exists()
