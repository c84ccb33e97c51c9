"""Changes of a team at the same moment, in real threads over real connections."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

import pytest
from django.db import connection

from imagefactory.domain.identity import services
from imagefactory.domain.identity.models import AccessRequest, Invitation, Membership, RoleBinding, User
from imagefactory.kernel.actor import Actor, ActorKind
from imagefactory.kernel.errors import FactoryError
from imagefactory.kernel.outbox.models import OutboxEvent
from tests.conftest import PASSWORD, World

pytestmark = [pytest.mark.committed, pytest.mark.django_db(transaction=True)]
ROUNDS = 5


@pytest.fixture
def team(transactional_db: None) -> World:
    from tests.conftest import make_world

    return make_world()


def at_once(*works: Callable[[], object]) -> list[FactoryError | None]:
    """Run all of these at the same moment; return for each the error that refused it, or None."""
    start, said = threading.Barrier(len(works)), list[FactoryError | None]([None] * len(works))

    def run(index: int, work: Callable[[], object]) -> None:
        try:
            start.wait(30)
            work()
        except FactoryError as error:
            said[index] = error
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=each) for each in enumerate(works)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not any(thread.is_alive() for thread in threads)
    return said


def owners(team: World) -> int:
    return RoleBinding.objects.filter(tenant_id=team.tenant_id, role="owner").count()


def codes(said: Sequence[FactoryError | None]) -> list[str]:
    return sorted(error.code if error else "" for error in said)


@pytest.mark.parametrize("third", [False, True])
def test_of_two_owners_who_remove_each_other_exactly_one_stays(team: World, third: bool) -> None:
    one = team.actor("owner")
    services.set_roles(one, team.users["admin"], {None: "owner"})
    if third:
        services.set_roles(one, team.users["viewer"], {None: "owner"})
    one, two = team.actor("owner"), team.actor("admin")
    said = at_once(
        lambda: services.remove_member(one, two.person),
        lambda: services.remove_member(two, one.person),
    )
    # The one who came second is no member any more, whoever else owns the team.
    assert codes(said) == ["", "not_found"]
    assert owners(team) == (2 if third else 1)


def test_of_two_owners_who_leave_one_stays(team: World) -> None:
    services.set_roles(team.actor("owner"), team.users["admin"], {None: "owner"})
    one, two = team.actor("owner"), team.actor("admin")
    ways = (
        lambda: services.leave_team(one),
        lambda: services.set_roles(two, two.person, {None: ""}),
    )
    assert codes(at_once(*ways)) == ["", "last_owner"]
    assert owners(team) == 1


def test_one_link_lets_one_in(team: World) -> None:
    nobody = Actor(ActorKind.USER, "someone", address="192.0.2.9")
    for round_ in range(ROUNDS):
        sent = services.invite(
            team.actor("owner"), addresses=f"n{round_}@example.org", role="viewer", projects=[team.project.id]
        )[0]
        token = sent.path.rpartition("/")[2]

        def join(link: str = token) -> None:
            services.accept_with_new_account(nobody, link, name="Nora", password=PASSWORD)

        assert [bool(e) for e in sorted(at_once(join, join, join), key=bool)] == [False, True, True]
        assert User.objects.filter(email=f"n{round_}@example.org").count() == 1
    assert OutboxEvent.objects.filter(type="invitation.accepted").count() == ROUNDS


def test_accepting_and_cancelling_at_once_is_one_of_the_two(team: World) -> None:
    nobody, owner = Actor(ActorKind.USER, "someone", address="192.0.2.9"), team.actor("owner")
    sent = services.invite(owner, addresses="n@example.org", role="viewer", projects=[team.project.id])[0]
    token = sent.path.rpartition("/")[2]
    said = at_once(
        lambda: services.accept_with_new_account(nobody, token, name="Nora", password=PASSWORD),
        lambda: services.cancel_invitation(owner, sent.invitation.id),
    )
    joined = Membership.objects.filter(user__email="n@example.org").count()
    assert len([e for e in said if e]) == 1
    assert Invitation.objects.get().state == ("accepted" if joined else "cancelled")


def test_one_address_is_invited_once(team: World) -> None:
    def invite(who: str) -> Callable[[], object]:
        actor = team.actor(who)
        return lambda: services.invite(actor, addresses="n@example.org", role="viewer", projects=[team.project.id])

    assert codes(at_once(invite("owner"), invite("admin"), invite("owner"))) == [
        "",
        "validation_failed",
        "validation_failed",
    ]
    assert Invitation.objects.count() == 1


def test_a_role_that_is_given_while_it_is_deleted_is_held_or_gone_and_never_both(team: World) -> None:
    owner, admin = team.actor("owner"), team.actor("admin")
    for round_ in range(ROUNDS):
        role = services.create_role(owner, name=f"R{round_}", scope="project", permissions=["project:view"])
        said = at_once(
            lambda key=role.id: services.delete_role(owner, key),  # type: ignore[misc]
            lambda key=role.id: services.set_project_role(  # type: ignore[misc]
                admin, team.users["viewer"], team.project.id, str(key)
            ),
        )
        assert len([e for e in said if e]) == 1
        team.actor("viewer")  # resolves, whichever came first


def test_a_request_is_decided_once(team: World) -> None:
    asked = services.request_access(team.actor("viewer"), "build:start", team.project.id).id
    owner, admin = team.actor("owner"), team.actor("admin")
    said = at_once(
        lambda: services.grant_access(owner, asked), lambda: services.decline_access(admin, asked),
    )  # fmt: skip
    assert codes(said) == ["", "already_decided"]
    granted = AccessRequest.objects.get().state == "granted"
    assert team.actor("viewer").may("build:start", team.project.id) is granted
    assert OutboxEvent.objects.filter(type="access.decided").count() == 1
