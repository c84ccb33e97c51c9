"""Sign-in through OpenID Connect, against a real provider process: discovery, PKCE, state, nonce, signed id tokens."""

from __future__ import annotations

import dataclasses
import re
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from django.db import transaction
from django.test import Client

from imagefactory.domain.identity import services
from imagefactory.domain.identity.errors import ProviderRefused
from imagefactory.domain.identity.models import (
    ExternalIdentity,
    IdentityProvider,
    Membership,
    ProviderRole,
    RoleBinding,
    User,
)
from imagefactory.domain.identity.selectors import RoleRow
from imagefactory.domain.identity.services import ProviderForm
from imagefactory.kernel import env
from imagefactory.kernel.actor import Actor, ActorKind
from imagefactory.kernel.outbox.models import OutboxEvent
from tests.conftest import PASSWORD, World
from tests.parties.oidc_provider import CLIENT, SECRET, OidcProvider, oidc_provider
from tests.sso.parts import administrator, email_of

pytestmark = pytest.mark.real

# The provider must know the addresses before it starts, so the rows get these ids.
TENANTS, INSTALLATIONS = uuid.uuid4(), uuid.uuid4()


@pytest.fixture(scope="module")
def party(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OidcProvider]:
    base = env.get().public_url
    redirects = [f"{base}/sso/{pk}/callback" for pk in (TENANTS, INSTALLATIONS)]
    with oidc_provider(redirects, Path(tmp_path_factory.mktemp("oidc"))) as running:
        yield running


def form(party: OidcProvider, **more: Any) -> ProviderForm:
    configuration = {"issuer": party.issuer, "client_id": CLIENT, "scopes": "openid profile email groups"}
    return ProviderForm("Company login", configuration, domains=["example.com"], secret=SECRET, **more)


@dataclasses.dataclass
class Door:
    """A browser before a provider's sign-in."""

    party: OidcProvider
    provider_id: uuid.UUID
    browser: Client

    def begin(self, wanted: str = "") -> str:
        address = f"/sso/{self.provider_id}/start" + (f"?{urlencode({'next': wanted})}" if wanted else "")
        answer = self.browser.get(address)
        assert answer.status_code == 302, answer.content[:800]
        return str(answer["Location"])

    def through(self, claims: dict[str, Any], wanted: str = "") -> Any:
        back = urlsplit(self.party.sign_in(self.begin(wanted), claims))
        return self.browser.get(f"{back.path}?{back.query}")


def door(world: World, party: OidcProvider, *, of_installation: bool = False, **more: Any) -> Door:
    actor = administrator(world) if of_installation else world.actor("owner")
    made = services.create_provider(actor, "oidc", form(party, **more), of_installation=of_installation)
    known = INSTALLATIONS if of_installation else TENANTS
    with transaction.atomic():  # the keys between the two tables are looked at when it ends
        IdentityProvider.objects.filter(id=made).update(id=known)
        ProviderRole.objects.filter(provider_id=made).update(provider_id=known)
    return Door(party, known, Client(raise_request_exception=False))


def said(world: World, role: str, **more: Any) -> dict[str, Any]:
    return {"email": email_of(world, role), "email_verified": True, "name": "Some One", **more}


def test_a_member_comes_in_through_their_teams_provider(world: World, party: OidcProvider) -> None:
    at = door(world, party)
    sent = parse_qs(urlsplit(at.begin()).query)
    assert sent["code_challenge_method"] == ["S256"]
    assert {"state", "nonce", "code_challenge"} <= set(sent)
    answer = at.through(said(world, "member"))
    assert answer.status_code == 302, answer.content
    assert answer["Location"] == f"/t/{world.tenant_slug}/"
    assert at.browser.get(f"/t/{world.tenant_slug}/").status_code == 200
    assert "oidc: Company login" in str(
        OutboxEvent.objects.get(type="member.signed_in", payload__user_id=str(world.users["member"])).payload
    )


def test_where_one_wanted_to_go_is_kept_and_other_sites_are_not(world: World, party: OidcProvider) -> None:
    at = door(world, party)
    assert (
        at.through(said(world, "member"), f"/t/{world.tenant_slug}/builds")["Location"]
        == f"/t/{world.tenant_slug}/builds"
    )
    at.browser = Client()
    assert at.through(said(world, "member"), "https://evil.example/")["Location"] == f"/t/{world.tenant_slug}/"


def test_a_malicious_team_gets_no_account_of_others(world: World, party: OidcProvider) -> None:
    """The attack of decision 12: an owner runs a provider of their own and lets it say that someone is the victim."""
    at = door(world, party, creates_people=True)
    victim = User.objects.get(id=world.users["stranger"])
    answer = at.through(said(world, "stranger"))
    assert answer.status_code == 403
    assert b"You do not belong to this team" in answer.content
    assert not ExternalIdentity.objects.exists()
    assert at.browser.get(f"/t/{world.stranger_slug}/").status_code == 302
    assert not Membership.objects.filter(tenant_id=world.tenant_id, user=victim).exists()
    refused = OutboxEvent.objects.get(type="member.provider_sign_in_refused")
    assert refused.payload["reason"] == "not_a_member"


def test_a_member_whom_the_team_vouches_for_is_shut_in_in_that_team(world: World, party: OidcProvider) -> None:
    """The victim is a member of the attacker's team and owns another: nothing of the other opens."""
    victim = world.users["stranger"]
    Membership.objects.create(tenant_id=world.tenant_id, user_id=victim)
    User.objects.filter(id=victim).update(is_system_admin=True)
    at = door(world, party)
    assert at.through(said(world, "stranger")).status_code == 302
    browser = at.browser
    assert browser.get(f"/t/{world.tenant_slug}/").status_code == 200
    for shut in (
        f"/t/{world.stranger_slug}/",
        "/me/profile",
        "/me/password",
        "/me/links",
        "/tenants/new",
        "/admin/",
        "/admin/sign-in",
    ):
        assert browser.get(shut).status_code == 403, shut
    assert browser.get("/")["Location"] == f"/t/{world.tenant_slug}/"
    # Neither the names of the other teams nor their objects, through any door.
    for page in (f"/t/{world.tenant_slug}/", "/palette?q=", f"/me/keys?tenant={world.tenant_slug}"):
        assert f"/t/{world.stranger_slug}" not in browser.get(page).content.decode(), page
    me = browser.get("/api/v1/auth/me").json()
    assert [t["slug"] for t in me["tenants"]] == [world.tenant_slug]
    assert me["tenant"] == world.tenant_slug
    assert browser.get("/api/v1/projects", headers={"X-Tenant-ID": world.stranger_slug}).status_code == 404
    assert (
        browser.post("/me/password", {"old_password": PASSWORD, "new_password": "another long one 5"}).status_code
        == 403
    )
    assert browser.post("/api/v1/tenants", "{}", content_type="application/json").status_code == 403


def test_an_account_that_its_owner_linked_opens_as_a_whole(world: World, party: OidcProvider) -> None:
    at = door(world, party)
    at.browser.force_login(User.objects.get(id=world.users["member"]))
    add = f"/me/links/add/{at.provider_id}"
    assert at.browser.post(add, {"password": "wrong"}).status_code == 422
    assert at.browser.post(add, {"password": PASSWORD}).status_code == 200
    sent = at.browser.get(f"/sso/{at.provider_id}/start?link=1")
    claims = said(world, "member", email="other@elsewhere.test", email_verified=False)
    back = urlsplit(party.sign_in(sent["Location"], claims))
    assert at.browser.get(f"{back.path}?{back.query}")["Location"] == "/me/links"
    assert b"your account" in at.browser.get("/me/links").content
    at.browser = Client()
    assert at.through(claims).status_code == 302
    assert at.browser.get("/me/profile").status_code == 200
    link = ExternalIdentity.objects.get()
    assert at.browser.post(f"/me/links/{link.id}/remove").status_code == 302
    assert at.browser.get("/me/profile")["Location"].startswith("/login"), "its session ended with it"


def test_a_link_is_made_only_where_it_was_confirmed(world: World, party: OidcProvider) -> None:
    at = door(world, party)
    at.browser.force_login(User.objects.get(id=world.users["member"]))
    at.browser.post(f"/me/links/add/{at.provider_id}", {"password": PASSWORD})
    sent = at.browser.get(f"/sso/{at.provider_id}/start?link=1")["Location"]
    session = at.browser.session
    session["sso_link"] = {"provider": str(at.provider_id), "at": 0}
    session.save()
    back = urlsplit(party.sign_in(sent, said(world, "member")))
    answer = at.browser.get(f"{back.path}?{back.query}")
    assert answer.status_code == 403
    assert not ExternalIdentity.objects.exists()


@pytest.mark.parametrize(
    ("claims", "sentence"),
    [
        ({"email_verified": False}, b"has verified"),
        ({"email": ""}, b"has verified"),
        ({"email": "victim@other.test"}, b"may not speak for the domain"),
        ({"email": "victim@example.com.evil.test"}, b"may not speak for the domain"),
        ({"email": "nobody-yet@example.com"}, b"no account for you yet"),
    ],
)
def test_what_the_provider_says_must_be_enough(
    world: World, party: OidcProvider, claims: dict[str, Any], sentence: bytes
) -> None:
    answer = door(world, party).through(said(world, "member", **claims))
    assert answer.status_code == 403
    assert sentence in answer.content
    assert not ExternalIdentity.objects.exists()


def test_people_are_made_only_in_domains_that_an_administrator_confirmed(world: World, party: OidcProvider) -> None:
    roles = [
        RoleRow(world.tenant_id, "", "viewer", world.project.id),
        RoleRow(world.tenant_id, "builders", "member", world.project.id),
    ]
    at = door(world, party, creates_people=True, roles=roles)
    new = {"email": "New.One@example.com", "email_verified": True, "name": "New One", "groups": ["Builders", "x"]}
    assert at.through(new).status_code == 403
    services.confirm_domains(administrator(world), at.provider_id)
    assert at.through(new).status_code == 302
    made = User.objects.get(email__iexact="new.one@example.com")
    assert not made.has_usable_password()
    assert list(RoleBinding.objects.filter(user=made).values_list("role", "project_id")) == [
        ("member", world.project.id)
    ]
    at.browser = Client()
    assert at.through(new | {"groups": ["x"]}).status_code == 403, "another subject for the same person"


def test_the_installations_provider_opens_the_whole_account(world: World, party: OidcProvider) -> None:
    at = door(world, party, of_installation=True)
    assert at.through(said(world, "owner"))["Location"] == "/"
    assert at.browser.get("/me/profile").status_code == 200
    assert at.browser.get(f"/t/{world.tenant_slug}/").status_code == 200


def test_answers_that_did_not_begin_here_or_come_twice_are_refused(world: World, party: OidcProvider) -> None:
    at = door(world, party)
    back = urlsplit(party.sign_in(at.begin(), said(world, "member")))
    other = Client(raise_request_exception=False)
    assert other.get(f"{back.path}?{back.query}").status_code == 403, "a state of another browser"
    forged = back.query.replace("state=", "state=x")
    assert at.browser.get(f"{back.path}?{forged}").status_code == 403
    assert at.browser.get(f"{back.path}?{back.query}").status_code == 302
    assert Client().get(f"{back.path}?{back.query}").status_code == 403
    assert at.browser.get(f"{back.path}?error=access_denied&state=x").status_code == 403


def test_a_token_of_another_sign_in_is_refused_by_its_nonce(world: World, party: OidcProvider) -> None:
    """Someone slips a code of another exchange with the provider into this browser's own answer."""
    at = door(world, party)
    back = urlsplit(party.sign_in(at.begin(), said(world, "member")))
    session = at.browser.session
    states = session["socialaccount_states"]
    for entry in states.values():
        entry[0]["nonce"] = "of another sign-in"
    session["socialaccount_states"] = states
    session.save()
    answer = at.browser.get(f"{back.path}?{back.query}")
    assert answer.status_code == 403
    assert b"belongs to another sign-in" in answer.content


def test_sessions_end_when_the_provider_is_switched_off_or_the_link_is_ended(world: World, party: OidcProvider) -> None:
    at = door(world, party)
    page = f"/t/{world.tenant_slug}/"
    at.through(said(world, "member"))
    assert at.browser.get(page).status_code == 200
    services.end_identity(world.actor("owner"), at.provider_id, world.users["member"])
    assert at.browser.get(page)["Location"].startswith("/login")
    at.browser = Client()
    at.through(said(world, "member"))
    services.update_provider(world.actor("owner"), at.provider_id, dataclasses.replace(form(party), enabled=False))
    assert at.browser.get(page)["Location"].startswith("/login")
    assert at.browser.get(f"/sso/{at.provider_id}/start").status_code == 404


def test_a_team_may_require_its_provider(world: World, party: OidcProvider) -> None:
    at = door(world, party)
    services.require_sso(world.actor("owner"), required=True)
    page, local = f"/t/{world.tenant_slug}/", Client(raise_request_exception=False)
    local.force_login(User.objects.get(id=world.users["member"]))
    refused = local.get(page)
    assert refused.status_code == 403
    assert b"through its own provider" in refused.content
    at.through(said(world, "member"))
    assert at.browser.get(page).status_code == 200
    owner = Client()
    owner.force_login(User.objects.get(id=world.users["owner"]))
    assert owner.get(page).status_code == 200, "an owner must be able to mend a broken provider"


def test_a_provider_that_is_down_is_told_in_a_sentence(world: World) -> None:
    down = ProviderForm(
        "Away", {"issuer": "http://127.0.0.1:9", "client_id": "x"}, domains=["example.com"], secret="x" * 8
    )
    made = services.create_provider(world.actor("owner"), "oidc", down)
    answer = Client().get(f"/sso/{made}/start")
    assert answer.status_code == 403
    assert b"does not answer as expected" in answer.content


def test_strangers_do_not_learn_which_teams_exist(world: World, party: OidcProvider) -> None:
    at = door(world, party)

    def found(email: str, tenant: str = "") -> str:
        answer = Client().post("/login/find", {"email": email, "tenant": tenant})
        assert answer.status_code == 200
        page = answer.content.decode().replace(email, "")
        return page.replace(tenant, "") if tenant else page

    def without_token(page: str) -> str:
        return re.sub(r'(csrfmiddlewaretoken" value|name="csrf" content|data-now)="[^"]*"', "", page)

    nothing = without_token(found("someone@else.test", "no-such-team"))
    assert without_token(found("someone@else.test", world.tenant_slug)) == nothing
    assert without_token(found("someone@example.com", "no-such-team")) == nothing
    assert str(at.provider_id) in found("someone@example.com", world.tenant_slug)
    assert str(at.provider_id) not in found("someone@example.com"), "nobody confirmed that the domain is the team's"
    services.confirm_domains(administrator(world), at.provider_id)
    assert str(at.provider_id) in found("Someone@EXAMPLE.com")


def test_one_person_has_one_account_and_one_subject(world: World) -> None:
    from imagefactory.domain.identity.services import Assertion

    made = services.create_provider(
        administrator(world), "oidc",
        ProviderForm("Both", {"issuer": "http://127.0.0.1:9", "client_id": "x"}, ["example.com"], creates_people=True, secret="y" * 9),
        of_installation=True,
    )  # fmt: skip
    who = Actor(ActorKind.USER, "someone", address="192.0.2.1")
    said = Assertion("s-1", "fresh@example.com", email_verified=True)
    first = services.accept_assertion(who, made, said)
    assert services.accept_assertion(who, made, said) == first
    with pytest.raises(ProviderRefused) as refused:
        services.accept_assertion(who, made, Assertion("s-2", "fresh@example.com", email_verified=True))
    assert refused.value.reason == "other_subject"
    assert User.objects.filter(email="fresh@example.com").count() == 1


def test_an_invitations_proven_address_makes_an_account_where_the_provider_may_make_none(world: World) -> None:
    from imagefactory.domain.identity.services import Assertion

    made = services.create_provider(
        world.actor("owner"), "oidc",
        ProviderForm("Ours", {"issuer": "http://127.0.0.1:9", "client_id": "x"}, ["example.com"], secret="y" * 9),
    )  # fmt: skip
    who = Actor(ActorKind.USER, "someone", address="192.0.2.2")
    said = Assertion("s-1", "Invited@example.com", email_verified=True, name="In Vited")
    with pytest.raises(ProviderRefused):
        services.accept_assertion(who, made, said)
    with pytest.raises(ProviderRefused):
        services.accept_assertion(who, made, said, proven_address="other@example.com")
    accepted = services.accept_assertion(who, made, said, proven_address="invited@example.com")
    assert User.objects.get(id=accepted.user_id).name == "In Vited"
    assert not Membership.objects.filter(user_id=accepted.user_id).exists(), "joining is the invitation's part"


def test_someone_invited_comes_in_through_a_provider_that_makes_no_accounts(world: World, party: OidcProvider) -> None:
    at = door(world, party, of_installation=True)
    (sent,) = services.invite(
        world.actor("owner"), addresses="nora@example.com", role="member", projects=[world.project.id]
    )
    nora = {"email": "nora@example.com", "email_verified": True, "name": "Nora"}
    assert at.through(nora).status_code == 403, "nobody has shown yet that the address is theirs"
    assert at.browser.get(sent.path).status_code == 200
    assert at.through({**nora, "email": "other@example.com"}).status_code == 403
    assert at.through(nora)["Location"] == "/"
    assert at.browser.get("/")["Location"] == sent.path
    assert at.browser.post(sent.path)["Location"] == f"/t/{world.tenant_slug}/"
    assert Membership.objects.filter(tenant_id=world.tenant_id, user__email="nora@example.com").exists()


def test_changes_are_told_without_secrets(world: World, party: OidcProvider) -> None:
    at = door(world, party)
    services.update_provider(
        world.actor("owner"),
        at.provider_id,
        dataclasses.replace(form(party), secret="another secret", domains=["example.org"]),
    )
    told = OutboxEvent.objects.get(type="tenant.identity_provider_changed").payload
    assert told["before"]["domains"] == ["example.com"]
    assert told["after"] == {"domains": ["example.org"], "secret": "set anew"}
    assert "another secret" not in str(list(OutboxEvent.objects.values_list("payload", flat=True)))
    row = IdentityProvider.objects.get(id=at.provider_id)
    assert b"another secret" not in bytes(row.secret or b"")
