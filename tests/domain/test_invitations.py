"""Invitations: all or nothing, once, for one address, within the inviter's rights; every refusal has its sentence."""

from __future__ import annotations

import datetime as dt
import uuid

import pytest

from imagefactory.domain.identity import selectors, services
from imagefactory.domain.identity.errors import InvitationEnded, InvitationNotFound
from imagefactory.domain.identity.models import Invitation, Membership, RoleBinding, Tenant, User
from imagefactory.domain.identity.selectors import invitations as reading
from imagefactory.domain.identity.selectors.invitations import get_invitation, list_invitations, offer_of, same_address
from imagefactory.domain.identity.services.invitations import MAX_OPEN
from imagefactory.domain.projects.services import create_project, delete_project
from imagefactory.kernel.actor import Actor, ActorKind
from imagefactory.kernel.clock import now
from imagefactory.kernel.errors import Conflict, InvalidTransition, PermissionDenied, RateLimited, ValidationFailed
from imagefactory.kernel.outbox.models import OutboxEvent
from imagefactory.kernel.throttle.check import forget
from tests.conftest import PASSWORD, World

NOBODY = Actor(ActorKind.USER, "someone", address="192.0.2.7")


def invite(world: World, who: str = "owner", to: str = "nora@example.org", **more: object) -> services.Sent:
    asked = {"addresses": to, "role": "member", "projects": [world.project.id]} | more
    return services.invite(world.actor(who), **asked)[0]  # type: ignore[arg-type]


def token(sent: services.Sent) -> str:
    return sent.path.rpartition("/")[2]


def join(sent: services.Sent) -> services.Joined:
    return services.accept_with_new_account(NOBODY, token(sent), name="Nora", password=PASSWORD)


def refused(link: str, actor: Actor = NOBODY) -> InvitationEnded:
    def take() -> None:
        if actor.user_id:
            services.accept_invitation(actor, link)
        else:
            services.accept_with_new_account(actor, link, name="Nora", password=PASSWORD)

    with pytest.raises(InvitationEnded) as caught:
        take()
    assert str(caught.value).endswith(".")
    return caught.value


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> list[dt.timedelta]:
    """Return a list whose last entry is added to the clock of whoever reads an invitation."""
    jumps = [dt.timedelta()]
    monkeypatch.setattr(reading, "now", lambda: now() + jumps[-1])
    return jumps


def test_someone_without_an_account_joins_with_the_role_and_no_more(world: World) -> None:
    sent = invite(world, message="Welcome aboard")
    offer = offer_of(token(sent))
    assert (offer.email, offer.tenant_slug, offer.role.name, offer.why) == (
        "nora@example.org",
        world.tenant_slug,
        "member",
        "",
    )
    joined = join(sent)
    actor = selectors.actor_for_user(joined.user_id, world.tenant_slug)
    assert actor.may("build:start", world.project.id)
    assert not actor.may("build:cancel", world.project.id)
    assert Membership.objects.get(user_id=joined.user_id).invited_by_id == world.users["owner"]


def test_an_invitation_works_once(world: World) -> None:
    sent = invite(world)
    joined = join(sent)
    assert refused(token(sent)).why == "accepted"
    assert refused(token(sent), selectors.actor_for_user(joined.user_id)).why == "accepted"
    assert Membership.objects.filter(tenant_id=world.tenant_id).count() == 5


def test_it_is_for_its_address_whatever_the_case_and_for_no_other(world: World) -> None:
    stranger = world.actor("stranger")
    sent = invite(world, to=stranger.email.upper())
    assert refused(token(sent), world.actor("viewer")).why == "other_person"
    assert services.accept_invitation(stranger, token(sent)).user_id == stranger.user_id


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("Ada@Example.org", "aDA@example.ORG", True),
        ("kim@example.org", "\u212aim@example.org", False),  # the Kelvin sign, whose small letter is k
        ("ivo@example.org", "\u0131vo@example.org", False),  # i without a dot
        ("paul@example.org", "p\u0430ul@example.org", False),  # a Cyrillic a
        ("ss@stra\u00dfe.example", "ss@strasse.example", False),
    ],
)
def test_look_alikes_are_other_addresses(one: str, other: str, same: bool) -> None:
    assert same_address(one, other) is same


def test_every_problem_of_every_address_is_told_at_once_and_nobody_is_invited(world: World) -> None:
    invite(world, to="twice@example.org")
    member = world.actor("viewer").email
    with pytest.raises(ValidationFailed) as caught:
        invite(
            world, to=f"good@example.org\nno address, TWICE@example.org; {member.upper()}", role="nothing", days=31,
            message="x" * 501,
        )  # fmt: skip
    assert set(caught.value.fields) == {"addresses", "role", "days", "message"}
    assert len(caught.value.fields["addresses"]) == 3
    assert Invitation.objects.count() == 1


def test_at_most_fifty_at_once_and_a_bounded_number_open(world: World) -> None:
    def many(first: int, count: int) -> str:
        return ",".join(f"p{n}@example.org" for n in range(first, first + count))

    with pytest.raises(ValidationFailed):
        invite(world, to=many(0, 51))
    for start in range(0, MAX_OPEN, 50):
        invite(world, to=many(start, 50))
    with pytest.raises(ValidationFailed) as caught:
        invite(world, to="one-more@example.org")
    assert "200" in caught.value.fields["addresses"][0]
    assert Invitation.objects.count() == MAX_OPEN


def test_one_address_given_twice_is_invited_once(world: World) -> None:
    invite(world, to="Nora@example.org\nnora@EXAMPLE.org")
    assert Invitation.objects.count() == 1


def test_nobody_invites_beyond_their_own_rights(world: World) -> None:
    other = create_project(world.actor("owner"), name="Other")
    for who in ("member", "viewer"):
        with pytest.raises(PermissionDenied):
            invite(world, who)
    for wrong in (
        {"role": "owner", "projects": []},
        {"projects": [other.id]},
        {"projects": [world.project.id, other.id]},
    ):
        with pytest.raises(PermissionDenied):
            invite(world, "admin", **wrong)
    assert not Invitation.objects.exists()
    assert invite(world, "admin", role="admin").invitation.role.name == "admin"
    assert join(invite(world, to="boss@example.org", role="owner", projects=[])).tenant_slug == world.tenant_slug


def test_a_key_cannot_make_an_owner(world: World) -> None:
    key = selectors.actor_for_token(world.token("owner"))
    with pytest.raises(PermissionDenied):
        services.invite(key, addresses="x@example.org", role="owner")
    assert services.invite(key, addresses="x@example.org", role="viewer", projects=[world.project.id])


def test_a_role_for_projects_needs_one(world: World) -> None:
    with pytest.raises(ValidationFailed) as caught:
        invite(world, projects=[])
    assert set(caught.value.fields) == {"projects"}


@pytest.mark.parametrize(
    "forged", ["", "x", "0" * 32, f"{'0' * 32}.AAAA", "no", "é" * 40, f"{uuid.uuid4().hex}.{'A' * 43}"]
)
def test_an_invented_link_reads_as_one_that_never_was(world: World, forged: str) -> None:
    invite(world)
    with pytest.raises(InvitationNotFound) as caught:
        offer_of(forged)
    with pytest.raises(InvitationNotFound):
        services.accept_with_new_account(NOBODY, forged, name="N", password=PASSWORD)
    assert str(caught.value) == str(InvitationNotFound())


def test_a_link_of_another_row_or_with_a_changed_letter_is_an_invented_one(world: World) -> None:
    one, two = invite(world), invite(world, to="two@example.org")
    row, _, signature = token(one).partition(".")
    for forged in (f"{token(two).partition('.')[0]}.{signature}", f"{row}.{signature[:-1]}~", f"{row}.{signature}A"):
        with pytest.raises(InvitationNotFound):
            offer_of(forged)


def test_sending_again_ends_the_older_link_and_is_bounded(world: World) -> None:
    sent = invite(world)
    again = services.resend_invitation(world.actor("owner"), sent.invitation.id)
    assert refused(token(sent)).why == "replaced"
    with pytest.raises(RateLimited):
        services.resend_invitation(world.actor("owner"), sent.invitation.id)
    assert join(again).tenant_slug == world.tenant_slug


def test_whoever_sends_it_again_answers_for_it(world: World) -> None:
    sent = invite(world, "admin")
    services.resend_invitation(world.actor("owner"), sent.invitation.id)
    assert get_invitation(world.actor("owner"), sent.invitation.id).invited_by_id == world.users["owner"]


def test_a_cancelled_one_says_so_and_cancelling_twice_is_the_same(world: World) -> None:
    sent, owner = invite(world), world.actor("owner")
    services.cancel_invitation(owner, sent.invitation.id)
    services.cancel_invitation(owner, sent.invitation.id)
    assert refused(token(sent)).why == "cancelled"
    with pytest.raises(InvalidTransition):
        services.resend_invitation(owner, sent.invitation.id)
    assert OutboxEvent.objects.filter(type="invitation.cancelled").count() == 1
    assert invite(world).invitation.state == "pending"  # the address can be invited anew


def test_an_accepted_one_is_not_cancelled(world: World) -> None:
    sent = invite(world)
    join(sent)
    with pytest.raises(InvalidTransition):
        services.cancel_invitation(world.actor("owner"), sent.invitation.id)


def test_its_time_ends_by_the_clock(world: World, later: list[dt.timedelta]) -> None:
    sent = invite(world, days=1)
    later.append(dt.timedelta(days=1, seconds=1))
    assert offer_of(token(sent)).why == "expired"
    assert refused(token(sent)).why == "expired"
    assert not User.objects.filter(email="nora@example.org").exists()


def test_a_clock_that_is_put_back_opens_nothing_again(world: World, later: list[dt.timedelta]) -> None:
    sent = invite(world, days=1)
    later.append(dt.timedelta(days=2))
    refused(token(sent))
    later.append(dt.timedelta(days=-3))
    assert refused(token(sent)).why == "expired"
    assert OutboxEvent.objects.filter(type="invitation.expired").count() == 1


def test_a_clock_that_jumped_ahead_ends_nothing_that_nobody_opened(world: World, later: list[dt.timedelta]) -> None:
    sent = invite(world, days=1)
    later.append(dt.timedelta(days=400))
    assert list_invitations(world.actor("owner"), state="")[0][0].state == "expired"
    later.append(dt.timedelta())
    assert join(sent).tenant_slug == world.tenant_slug


def test_an_expired_one_can_be_sent_again_or_made_anew(world: World, later: list[dt.timedelta]) -> None:
    owner, sent = world.actor("owner"), invite(world, days=1)
    later.append(dt.timedelta(days=2))
    refused(token(sent))
    later.append(dt.timedelta())
    newer = invite(world)
    with pytest.raises(Conflict):  # one address has one invitation that waits
        services.resend_invitation(owner, sent.invitation.id)
    services.cancel_invitation(owner, newer.invitation.id)
    forget("send this invitation again", str(sent.invitation.id))
    assert join(services.resend_invitation(owner, sent.invitation.id)).tenant_slug == world.tenant_slug


def test_the_inviters_rights_count_when_it_is_accepted(world: World) -> None:
    sent = invite(world, "admin", role="admin")
    services.set_project_role(world.actor("owner"), world.users["admin"], world.project.id, "viewer")
    assert refused(token(sent)).why == "void"
    services.set_project_role(world.actor("owner"), world.users["admin"], world.project.id, "admin")
    assert join(sent).tenant_slug == world.tenant_slug


def test_it_ends_with_its_project_and_with_its_role(world: World) -> None:
    owner = world.actor("owner")
    doomed = create_project(owner, name="Doomed")
    for_project = invite(world, projects=[doomed.id, world.project.id])
    role = services.create_role(owner, name="Watcher", scope="project", permissions=["project:view"])
    for_role = invite(world, to="two@example.org", role=str(role.id))
    delete_project(owner, doomed.id, confirm=doomed.slug)
    services.delete_role(owner, role.id)
    assert "project" in str(refused(token(for_project)))
    assert "Watcher" in str(refused(token(for_role)))
    assert not RoleBinding.objects.filter(project_id=doomed.id).exists()
    with pytest.raises(Conflict):
        services.resend_invitation(owner, for_project.invitation.id)


def test_nobody_joins_a_team_in_which_nothing_can_be_changed(world: World) -> None:
    sent = invite(world)
    Tenant.objects.filter(id=world.tenant_id).update(state="suspended")
    with pytest.raises(PermissionDenied) as caught:
        join(sent)
    assert caught.value.code == "tenant_suspended"


def test_a_bad_password_or_a_taken_address_makes_nothing(world: World) -> None:
    sent = invite(world)
    with pytest.raises(ValidationFailed) as caught:
        services.accept_with_new_account(NOBODY, token(sent), name=" ", password="short", time_zone="Mars")
    assert set(caught.value.fields) == {"name", "password", "time_zone"}
    other = invite(world, to=world.actor("stranger").email)
    with pytest.raises(ValidationFailed):
        join(other)
    assert get_invitation(world.actor("owner"), sent.invitation.id).state == "pending"


def test_a_member_is_told_that_they_are_one_and_keeps_what_they_have(world: World) -> None:
    stranger = world.actor("stranger")
    sent = invite(world, to=stranger.email, role="viewer")
    Membership.objects.create(tenant_id=world.tenant_id, user_id=stranger.person)
    RoleBinding.objects.create(
        tenant_id=world.tenant_id, user_id=stranger.person, project_id=world.project.id, role="admin"
    )
    services.accept_invitation(stranger, token(sent))
    assert selectors.actor_for_user(stranger.person, world.tenant_slug).may("team:manage", world.project.id)


def test_asking_for_a_new_one_tells_the_inviter_once_a_day(world: World) -> None:
    sent = invite(world)
    with pytest.raises(InvitationEnded):
        services.ask_again(NOBODY, token(sent))
    services.cancel_invitation(world.actor("owner"), sent.invitation.id)
    services.ask_again(NOBODY, token(sent))
    with pytest.raises(RateLimited):
        services.ask_again(NOBODY, token(sent))
    event = OutboxEvent.objects.get(type="invitation.asked_again")
    assert event.payload["invited_by"] == str(world.users["owner"])


def test_an_admin_sees_the_invitations_of_their_projects_only(world: World) -> None:
    owner = world.actor("owner")
    other = create_project(owner, name="Other")
    mine, hidden = invite(world), invite(world, to="two@example.org", projects=[other.id])
    admin = world.actor("admin")
    assert [i.id for i in list_invitations(admin)[0]] == [mine.invitation.id]
    for act in (services.cancel_invitation, services.resend_invitation):
        with pytest.raises(InvitationNotFound):
            act(admin, hidden.invitation.id)
        with pytest.raises(InvitationNotFound):
            act(world.actor("stranger"), mine.invitation.id)


def test_no_event_carries_the_link(world: World) -> None:
    sent = invite(world)
    again = services.resend_invitation(world.actor("owner"), sent.invitation.id)
    join(again)
    told = str(list(OutboxEvent.objects.values_list("payload", flat=True)))
    for each in (sent, again):
        assert token(each).partition(".")[2] not in told
        assert token(each) not in repr(each)


def test_a_message_is_plain_and_keeps_its_lines(world: World) -> None:
    sent = invite(world, message="Hello\r\nthere\x1b[31m\u202e!")
    assert get_invitation(world.actor("owner"), sent.invitation.id).message == "Hello\nthere[31m!"
