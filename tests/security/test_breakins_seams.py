"""Break-ins where two parts meet that are each tight alone: sign-in and providers, keys and teams, mails and accounts."""

from __future__ import annotations

import base64
import datetime as dt
import json
import uuid

import pytest
from django.test import Client

from imagefactory.domain.identity import selectors, services
from imagefactory.domain.identity.errors import WrongCredentials
from imagefactory.domain.identity.models import (
    CustomRole,
    IdentityProvider,
    IpList,
    Membership,
    RoleBinding,
    Tenant,
    User,
)
from imagefactory.domain.identity.permissions import Permission
from imagefactory.domain.identity.services.assertions import Assertion, accept_assertion, link_identity
from imagefactory.domain.identity.services.service_accounts import AccountFields
from imagefactory.domain.notifications.models import Notice
from imagefactory.domain.projects.selectors import get_project
from imagefactory.domain.projects.services import create_project
from imagefactory.entry.jobs.tenant_removal import remove_tenant
from imagefactory.kernel.actor import Actor, ActorKind, system
from imagefactory.kernel.clock import now
from imagefactory.kernel.errors import Conflict, FactoryError, PermissionDenied, ValidationFailed
from imagefactory.kernel.outbox.models import OutboxEvent
from tests.conftest import PASSWORD, World
from tests.security.test_totp import code

STRANGER = Actor(ActorKind.USER, "someone", address="192.0.2.9")


def _provider(world: World, *, of_installation: bool = False) -> IdentityProvider:
    return IdentityProvider.objects.create(
        tenant_id=None if of_installation else world.tenant_id, kind="ldap", name=f"Login {world.tenant_slug}",
        configuration={"url": "ldaps://127.0.0.1:9", "user_base": "dc=example"}, domains=["example.com"], domains_confirmed=of_installation,
        enabled=True,
    )  # fmt: skip


def _through(world: World, role: str, *, linked_by_person: bool = False) -> Client:
    """Return a browser that the team's own provider signed in as this person."""
    from imagefactory.entry.web.sso import views

    provider, browser = _provider(world), Client(raise_request_exception=False)
    said = Assertion(role, User.objects.get(id=world.users[role]).email, email_verified=True)
    if linked_by_person:
        link_identity(world.actor(role), provider.id, said)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(views, "sign_in_to_directory", lambda *_: said)
        answer = browser.post(f"/sso/{provider.id}/directory", {"username": role, "password": "theirs"})
    assert answer["Location"] == f"/t/{world.tenant_slug}/"
    return browser


def _with_app(user_id: uuid.UUID) -> None:
    actor = selectors.actor_for_user(user_id)
    begun = services.begin_app(actor)
    services.confirm_app(actor, setup=begun.setup, code=code(begun.key))


def test_a_second_sign_in_that_stops_half_way_does_not_unbind_the_first(world: World) -> None:
    """Whoever runs a team's provider has accounts of their own, with a second factor to stop at."""
    browser = _through(world, "member")
    assert browser.get("/me/security").status_code == 403
    _with_app(world.users["stranger"])
    mine = User.objects.get(id=world.users["stranger"]).email
    answer = browser.post("/login", {"email": mine, "password": PASSWORD})
    assert answer["Location"].startswith("/login/verify")
    member = User.objects.get(id=world.users["member"])
    for page in ("/me/security", "/me/profile", "/me/email", "/tenants/new"):
        assert member.email not in browser.get(page).content.decode()
        assert browser.get(page).status_code != 200, page


# Keys and teams ------------------------------------------------------------------------------------------------------


def _key_of_owner(world: World, scopes: list[str] | None = None) -> Actor:
    """Return the owner's key that is for one project alone."""
    owner = world.actor("owner")
    _, text = services.create_api_key(owner, name="one project", scopes=scopes, project_ids=[world.project.id])
    return selectors.actor_for_token(text, address="192.0.2.1")


def test_a_key_for_one_project_stays_in_it_once_the_team_is_held(world: World) -> None:
    other = create_project(world.actor("owner"), name="Payroll")
    key, viewer = _key_of_owner(world), world.users["viewer"]
    wide = sorted(str(p) for p in Permission)
    with pytest.raises(PermissionDenied):
        services.set_roles(key, viewer, {other.id: "admin"})
    with pytest.raises(PermissionDenied):
        services.create_role(key, name="Everything", scope="tenant", permissions=wide)
    with pytest.raises(PermissionDenied):
        services.invite(key, addresses="mallory@example.com", role="admin", projects=[other.id])
    with pytest.raises(PermissionDenied):
        services.remove_member(key, _with_role_in(world, other.id))
    assert not RoleBinding.objects.filter(user_id=viewer, project_id=other.id).exists()
    assert not CustomRole.objects.filter(tenant_id=world.tenant_id).exists()
    services.set_roles(key, viewer, {world.project.id: "member"})
    assert RoleBinding.objects.get(user_id=viewer, project_id=world.project.id).role == "member"


def _with_role_in(world: World, project_id: uuid.UUID) -> uuid.UUID:
    services.set_roles(world.actor("owner"), world.users["member"], {project_id: "member", world.project.id: ""})
    return world.users["member"]


def _team_manager(world: World) -> Actor:
    """Return a member whose only right is to manage the team."""
    owner = world.actor("owner")
    role = services.create_role(owner, name="People", scope="tenant", permissions=["project:view", "team:manage"])
    services.set_roles(owner, world.users["viewer"], {None: str(role.id), world.project.id: ""})
    return world.actor("viewer")


def test_who_manages_people_gets_no_key_that_may_do_more_than_they(world: World) -> None:
    owner = world.actor("owner")
    account = services.create_service_account(owner, AccountFields("deploy", "a@example.com", role="admin"))
    old, _ = services.create_account_key(owner, account.id, name="first")
    manager = _team_manager(world)
    with pytest.raises(FactoryError):
        services.create_account_key(manager, account.id, name="mine")
    with pytest.raises(FactoryError):
        services.rotate_key(manager, old.id, overlap_hours=1)
    _, text = services.create_account_key(manager, account.id, name="narrow", scopes=["project:view"])
    assert selectors.actor_for_token(text).tenant_permissions == {"project:view"}


def test_who_manages_people_switches_no_wider_account_on(world: World) -> None:
    owner = world.actor("owner")
    account = services.create_service_account(owner, AccountFields("deploy", "a@example.com", role="admin"))
    services.switch_service_account(owner, account.id, on=False)
    manager = _team_manager(world)
    with pytest.raises(FactoryError):
        services.switch_service_account(manager, account.id, on=True)


# Mails and accounts --------------------------------------------------------------------------------------------------


@pytest.fixture
def mailing(monkeypatch: pytest.MonkeyPatch) -> None:
    from imagefactory.kernel import env

    kept = env.get()
    monkeypatch.setattr(env, "get", lambda: kept.model_copy(update={"mail_host": "127.0.0.1"}))
    assert env.get().has_mail


def _link(purpose: str, user_id: uuid.UUID) -> str:
    from imagefactory.domain.identity.models import EmailProof
    from imagefactory.kernel.secrets import signed_token

    proof = EmailProof.objects.get(user_id=user_id, purpose=purpose)
    return signed_token(purpose, proof.id, proof.version)


@pytest.mark.parametrize("how", ["reset", "change"])
def test_a_new_password_ends_a_change_of_address_that_an_intruder_began(world: World, mailing: None, how: str) -> None:
    victim = world.users["member"]
    services.change_email(world.actor("member"), "intruder@example.com")
    token = _link("change_email", victim)
    if how == "reset":
        services.ask_reset(STRANGER, User.objects.get(id=victim).email)
        services.reset_password(STRANGER, _link("reset_password", victim), "another horse battery")
    else:
        services.change_password(world.actor("member"), old=PASSWORD, new="another horse battery")
    with pytest.raises(FactoryError):
        services.confirm_new_email(STRANGER, token)
    assert User.objects.get(id=victim).email != "intruder@example.com"


def test_a_changed_password_ends_a_link_to_set_one(world: World, mailing: None) -> None:
    victim = world.users["member"]
    services.ask_reset(STRANGER, User.objects.get(id=victim).email)
    token = _link("reset_password", victim)
    services.change_password(world.actor("member"), old=PASSWORD, new="another horse battery")
    with pytest.raises(FactoryError):
        services.reset_password(STRANGER, token, "the intruder's own 1")


@pytest.mark.parametrize("asked", [True, False])
def test_an_account_made_in_someones_name_before_they_came_is_theirs_once_their_provider_vouches(
    world: World, asked: bool
) -> None:
    """The intruder signed up with the address, with a mail server or without, and waits for its person."""
    provider = _provider(world, of_installation=True)
    early = User.objects.create_user("late@example.com", PASSWORD, name="Late", email_confirmed=not asked)
    tokens = services.sign_in_to_api(STRANGER, email="late@example.com", password=PASSWORD)
    said = Assertion("late", "late@example.com", email_verified=True)
    accepted = accept_assertion(STRANGER, provider.id, said)
    assert accepted.user_id == early.id
    assert User.objects.get(id=early.id).email_confirmed
    with pytest.raises(WrongCredentials):
        services.verify_password(STRANGER, email="late@example.com", password=PASSWORD)
    with pytest.raises(FactoryError):
        selectors.actor_for_token(tokens.access)


def test_whoever_proved_their_address_keeps_their_password_when_a_provider_vouches_too(world: World) -> None:
    provider = _provider(world, of_installation=True)
    person = User.objects.create_user("early@example.com", PASSWORD, name="Early", email_proven=True)
    said = Assertion("early", "early@example.com", email_verified=True)
    assert accept_assertion(STRANGER, provider.id, said).user_id == person.id
    assert services.verify_password(STRANGER, email="early@example.com", password=PASSWORD) == person.id


# Providers and accounts ----------------------------------------------------------------------------------------------


def test_a_teams_provider_alone_changes_nothing_that_protects_an_account(world: World) -> None:
    """It would be a way to system roles: an own passkey first, which then signs in without the provider."""
    browser = _through(world, "member", linked_by_person=True)
    answer = browser.post("/me/email", {"email": "intruder@example.com", "password": ""})
    assert answer.status_code == 422
    assert User.objects.get(id=world.users["member"]).email != "intruder@example.com"
    answer = browser.post("/me/email", {"email": "other@example.com", "password": PASSWORD})
    assert answer.status_code == 302


def test_a_bound_browser_learns_no_other_team_by_sending_a_header_along(world: World) -> None:
    stranger_tenant = selectors.tenants_of(world.users["stranger"])[0]
    Membership.objects.create(tenant_id=stranger_tenant.id, user_id=world.users["member"])
    User.objects.filter(id=world.users["member"]).update(last_tenant_id=stranger_tenant.id)
    browser = _through(world, "member")
    answer = browser.get("/", headers={"Authorization": "Bearer nothing"})
    assert stranger_tenant.slug not in answer.headers.get("Location", "") + answer.content.decode()


def test_a_bound_browser_does_not_say_what_its_person_gets_by_mail(world: World) -> None:
    from imagefactory.domain.notifications import selectors as notices

    browser = _through(world, "member")
    answer = browser.patch(
        "/api/v1/notifications/settings", '{"email": {"builds": false}}', content_type="application/json"
    )
    assert answer.status_code == 403
    assert all(notices.email_groups(world.actor("member")).values())


# The record ----------------------------------------------------------------------------------------------------------


def test_the_record_of_a_refusal_holds_no_link_that_lets_someone_in(world: World) -> None:
    """A read-only administrator reads the record, and must not set passwords with what stands in it."""
    browser = _through(world, "member")
    secrets = []
    for path in ("/login/reset/", "/login/email/", "/login/confirm/", "/invite/"):
        secret = f"{uuid.uuid4().hex}.{'s' * 43}"
        secrets.append(secret)
        assert browser.get(path + secret).status_code == 403
    strict = Client(enforce_csrf_checks=True, raise_request_exception=False)
    secrets.append(f"{uuid.uuid4().hex}.{'t' * 43}")
    assert strict.post(f"/login/reset/{secrets[-1]}", {"new_password": "x"}).status_code == 403
    told = str(list(OutboxEvent.objects.filter(type="audit.refused").values_list("payload", flat=True)))
    assert "/login/reset/" in told
    assert not [s for s in secrets if s in told]


# States --------------------------------------------------------------------------------------------------------------


def test_who_reads_the_installation_and_owns_a_team_ends_and_changes_no_other(world: World) -> None:
    from imagefactory.domain.identity import policies

    User.objects.filter(id=world.users["stranger"]).update(is_read_only_admin=True)
    reader = world.actor("stranger")
    assert policies.may_end_tenant(reader, world.tenant_id) is not True
    assert policies.may_change_tenant(reader, world.tenant_id) is not True
    assert policies.may_end_tenant(reader, reader.tenant) is True


# CI jobs -------------------------------------------------------------------------------------------------------------

GITHUB = "https://token.actions.githubusercontent.com"


@pytest.mark.parametrize(
    ("claims", "fine"),
    [
        ({"ref": "refs/heads/main"}, False),
        ({"repository": "*", "ref": "refs/heads/main"}, False),
        ({"repository": "*/app"}, False),
        ({"sub": "repo:*/app:ref:refs/heads/main"}, False),
        ({"repository_owner": "tea*"}, False),
        ({"repository": "team/app"}, True),
        ({"repository": "team/*", "ref": "refs/heads/main"}, True),
        ({"repository_owner": "team"}, True),
        ({"sub": "repo:team/app:*"}, True),
    ],
)
def test_a_rule_for_an_issuer_of_everyones_jobs_says_whose(world: World, claims: dict[str, str], fine: bool) -> None:
    form = services.CiTrustForm("app", GITHUB, "factory", claims, [world.project.id], ["build:start"])
    if fine:
        services.create_ci_trust(world.actor("owner"), form)
    else:
        with pytest.raises(ValidationFailed) as refused:
            services.create_ci_trust(world.actor("owner"), form)
        assert list(refused.value.fields) == ["claims"]


# Ends of teams -------------------------------------------------------------------------------------------------------


def test_a_team_whose_removal_may_have_begun_is_not_kept_half_empty(world: World) -> None:
    owner = world.actor("owner")
    services.delete_tenant(owner, world.tenant_id, confirm=world.tenant_slug, reason="over")
    Tenant.objects.filter(id=world.tenant_id).update(delete_after=now() - dt.timedelta(seconds=1))
    with pytest.raises(Conflict, match="cannot be kept"):
        services.stop_deletion(world.actor("owner"), world.tenant_id, reason="thought again")
    assert Tenant.objects.get(id=world.tenant_id).state == "deleting"


def test_a_team_that_was_kept_after_the_job_looked_loses_nothing(world: World) -> None:
    services.delete_tenant(world.actor("owner"), world.tenant_id, confirm=world.tenant_slug, reason="over")
    services.stop_deletion(world.actor("owner"), world.tenant_id, reason="thought again")
    assert not remove_tenant(world.tenant_id)
    assert Membership.objects.filter(tenant_id=world.tenant_id, user_id=world.users["owner"]).exists()
    assert get_project(world.actor("owner"), world.project.id).slug == world.project.slug


# Floods --------------------------------------------------------------------------------------------------------------


def test_invented_actions_and_methods_do_not_flood_the_record(world: World) -> None:
    """Sixty entries a minute of one actor and action: whoever invents actions would have sixty of each."""
    basic = base64.b64encode(f"me:{world.token('viewer')}".encode()).decode()
    client = Client(raise_request_exception=False)
    for n in range(4):
        asked = [f"repository:{world.tenant_slug}/{world.project.slug}/a:{'wxyz'[n] * (m + 1)}" for m in range(20)]
        answer = client.get("/registry/token", {"scope": asked}, headers={"Authorization": f"Basic {basic}"})
        assert answer.status_code == 200
    strict = Client(enforce_csrf_checks=True, raise_request_exception=False)
    for n in range(70):
        assert strict.generic(f"POST{'X' * n}", "/login").status_code == 403
    rows = OutboxEvent.objects.filter(type="audit.refused")
    assert rows.filter(actor_id=world.users["viewer"]).count() <= 60
    assert rows.filter(payload__path="/login").count() <= 61


# Names and guesses ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("email", ["\u212aim@example.com", "\u017fam@example.com", "a@\u212aim.example"])
def test_nobody_signs_up_with_a_letter_that_the_database_takes_for_another(db: None, email: str) -> None:
    with pytest.raises(ValidationFailed) as refused:
        services.sign_up(STRANGER, name="Kim", email=email, password=PASSWORD, tenant_name="Kim", tenant_slug="kim-1")
    assert list(refused.value.fields) == ["email"]


def test_names_of_keys_and_service_accounts_read_as_they_are(world: World) -> None:
    odd = "dep\u202eloy"
    with pytest.raises(ValidationFailed):
        services.create_api_key(world.actor("owner"), name=odd)
    with pytest.raises(ValidationFailed):
        services.create_service_account(world.actor("owner"), AccountFields(odd, "a@example.com", role="viewer"))


def test_a_guesser_of_short_names_is_not_forgiven_for_an_idempotency_key(world: World) -> None:
    token = services.open_session(STRANGER, world.users["owner"]).access
    client = Client(raise_request_exception=False)
    body = json.dumps({"name": "x", "slug": world.stranger_slug})
    answers = [
        client.post(
            "/api/v1/tenants", body, content_type="application/json",
            headers={"Authorization": f"Bearer {token}", "Idempotency-Key": f"guess-{n}"},
        ).status_code
        for n in range(22)
    ]  # fmt: skip
    assert answers == [422] * 20 + [429] * 2


def test_a_suspended_team_makes_no_keys_and_revokes_those_it_has(world: World) -> None:
    key, _ = services.create_api_key(world.actor("member"), name="before")
    services.suspend_tenant(system("tests"), world.tenant_id, reason="unpaid")
    for role in ("owner", "member"):
        with pytest.raises(PermissionDenied, match="suspended"):
            services.create_api_key(world.actor(role), name="more")
    services.revoke_api_key(world.actor("member"), key.id)


# News of a team that is shut -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("rule", ["second factor", "provider", "networks"])
def test_what_a_team_tells_is_not_read_past_what_it_asks_for(world: World, rule: str) -> None:
    Notice.objects.create(
        user_id=world.users["member"], tenant_id=world.tenant_id, kind="team.role_set", subject="Of the team", text="x",
        event_id=uuid.uuid4(),
    )  # fmt: skip
    token = services.open_session(STRANGER, world.users["member"]).access
    headers = {"Authorization": f"Bearer {token}"}

    def told() -> str:
        client = Client(raise_request_exception=False)
        return str(client.get("/api/v1/notifications", headers=headers).content.decode())

    assert "Of the team" in told()
    if rule == "networks":
        networks = [{"cidr": "192.0.2.0/24", "note": ""}]
        IpList.objects.create(tenant_id=world.tenant_id, networks=networks, for_sessions=True)
    else:
        field = "second_factor_required" if rule == "second factor" else "requires_sso"
        Tenant.objects.filter(id=world.tenant_id).update(**{field: True})
    assert "Of the team" not in told()
