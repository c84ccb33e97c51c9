"""People: sign-up tells all that is wrong at once, sign-in tells nothing, roles and keys stay within their tenant."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from imagefactory.domain.identity import selectors, services
from imagefactory.domain.identity.errors import KeyNotFound, WrongCredentials
from imagefactory.domain.identity.models import Tenant, User
from imagefactory.domain.identity.permissions import Role
from imagefactory.kernel.actor import Actor, ActorKind
from imagefactory.kernel.errors import NotFound, PermissionDenied, RateLimited, ValidationFailed
from imagefactory.kernel.outbox.models import OutboxEvent
from tests.conftest import PASSWORD, World

WHO = Actor(ActorKind.USER, "someone", address="192.0.2.1")


def sign_up(**changes: str) -> services.SignedUp:
    asked = {"name": "Ada", "email": "Ada@example.com", "password": PASSWORD, "tenant_name": "Ada's Team"}
    return services.sign_up(WHO, **asked | changes)


def test_signing_up_makes_a_person_who_owns_their_tenant(db: None) -> None:
    made = sign_up()
    actor = selectors.actor_for_user(made.user_id)
    assert (actor.tenant_slug, actor.role, actor.may("billing:view")) == ("ada-s-team", "owner", True)
    assert actor.capabilities == {"build"}
    types = OutboxEvent.objects.filter(tenant_id=made.tenant_id).values_list("type", flat=True)
    assert set(types) == {"tenant.created", "member.joined"}


def test_signing_up_names_everything_that_is_wrong_at_once_and_makes_nothing(db: None) -> None:
    with pytest.raises(ValidationFailed) as caught:
        sign_up(name=" ", email="nobody", password="short", tenant_name="", time_zone="Mars/Base")
    assert set(caught.value.fields) == {"name", "email", "password", "tenant_name", "time_zone"}
    assert not User.objects.exists()
    assert not Tenant.objects.exists()


def test_an_address_is_taken_whatever_its_case(db: None) -> None:
    sign_up()
    with pytest.raises(ValidationFailed) as caught:
        sign_up(email="ADA@EXAMPLE.COM", tenant_name="Other")
    assert set(caught.value.fields) == {"email"}


def test_the_account_of_an_address_is_found_by_an_index(db: None) -> None:
    made = sign_up()
    with CaptureQueriesContext(connection) as asked:
        found = selectors.user_with_email("ADA@example.com")
    assert found is not None
    assert found.id == made.user_id
    with connection.cursor() as cursor:
        cursor.execute("set local enable_seqscan = off")  # one row is read from end to end otherwise
        cursor.execute(f"explain {asked.captured_queries[0]['sql']}")
        assert "identity_user_email_once" in "\n".join(row[0] for row in cursor.fetchall())


def test_a_new_password_is_one_that_can_be_used(db: None) -> None:
    made = sign_up()
    actor, longest = selectors.actor_for_user(made.user_id), f"{PASSWORD} " * 50
    for wrong in (longest[:1000] + "x", "short", "12345678901"):
        with pytest.raises(ValidationFailed) as caught:
            services.change_password(actor, old=PASSWORD, new=wrong)
        assert set(caught.value.fields) == {"new_password"}
    services.change_password(actor, old=PASSWORD, new=longest[:1000])
    assert services.verify_password(WHO, email="ada@example.com", password=longest[:1000]) == made.user_id


@pytest.mark.parametrize(("name", "slug", "field"), [("", "free", "name"), ("X", "api", "slug"), ("X", "-x", "slug")])
def test_one_more_tenant_is_made_by_the_same_rules(world: World, name: str, slug: str, field: str) -> None:
    owner = world.actor("owner")
    with pytest.raises(ValidationFailed) as caught:
        services.create_tenant(owner, name=name, slug=slug)
    assert set(caught.value.fields) == {field}
    with pytest.raises(ValidationFailed):
        services.create_tenant(owner, name="Mine", slug=world.stranger_slug)
    made = services.create_tenant(owner, name="Second")
    assert selectors.actor_for_user(world.users["owner"], made.slug).role == "owner"


@pytest.mark.parametrize("slug", ["library", "api", "-x", "Upper"])
def test_a_reserved_or_malformed_tenant_name_is_refused(db: None, slug: str) -> None:
    with pytest.raises(ValidationFailed) as caught:
        sign_up(tenant_slug=slug)
    assert set(caught.value.fields) == {"tenant_slug"}


def test_signing_up_from_one_address_is_bounded(db: None) -> None:
    for _ in range(20):
        with pytest.raises(ValidationFailed):
            sign_up(email="wrong")
    with pytest.raises(RateLimited):
        sign_up()


def test_sign_in_says_the_same_for_a_wrong_password_and_an_unknown_person(db: None) -> None:
    made = sign_up()
    assert services.verify_password(WHO, email=" ada@example.com", password=PASSWORD) == made.user_id
    sentences = set()
    for email, password in (("ada@example.com", "wrong"), ("eve@example.com", PASSWORD)):
        with pytest.raises(WrongCredentials) as caught:
            services.verify_password(WHO, email=email, password=password)
        sentences.add(str(caught.value))
    assert len(sentences) == 1


def test_someone_whose_account_is_off_cannot_sign_in(db: None) -> None:
    made = sign_up()
    User.objects.filter(id=made.user_id).update(is_active=False)
    with pytest.raises(WrongCredentials):
        services.verify_password(WHO, email="ada@example.com", password=PASSWORD)


def test_a_role_holds_in_its_project_and_ends_at_once(world: World) -> None:
    project = world.project.id
    assert world.actor("member").may("build:start", project)
    assert not world.actor("member").may("build:start")
    services.set_project_role(world.actor("admin"), world.users["member"], project, None)
    assert not world.actor("member").may("build:view", project)


def test_nobody_gives_roles_without_the_right_or_to_someone_outside(world: World) -> None:
    project, viewer = world.project.id, world.users["viewer"]
    for role in ("member", "viewer"):
        with pytest.raises(PermissionDenied):
            services.set_project_role(world.actor(role), viewer, project, Role.ADMIN)
    with pytest.raises(ValidationFailed):  # an owner elsewhere: the person is not in their tenant
        services.set_project_role(world.actor("stranger"), viewer, project, Role.ADMIN)
    for person, wanted in ((world.users["stranger"], Role.VIEWER), (viewer, Role.OWNER)):
        with pytest.raises(ValidationFailed):
            services.set_project_role(world.actor("owner"), person, project, wanted)
    services.set_project_role(world.actor("owner"), viewer, project, Role.ADMIN)
    assert world.actor("viewer").may("team:manage", project)


def test_a_tenant_one_is_not_in_looks_like_one_that_never_was(world: World) -> None:
    said = set()
    for slug in (world.tenant_slug, "never-was"):
        with pytest.raises(NotFound) as caught:
            selectors.actor_for_user(world.users["stranger"], slug)
        said.add(str(caught.value))
    assert len(said) == 1


def test_keys_are_ones_own(world: World) -> None:
    key, text = services.create_api_key(world.actor("owner"), name="ci")
    assert [k.id for k in selectors.keys_of(world.actor("owner"))] == [key.id]
    assert selectors.keys_of(world.actor("admin")) == []
    assert text not in repr(selectors.keys_of(world.actor("owner")))
    with pytest.raises(KeyNotFound):
        services.revoke_api_key(world.actor("admin"), key.id)
    assert selectors.actor_for_token(text).key_id == key.id


def test_a_key_with_an_unknown_scope_no_scope_or_no_end_is_refused(world: World) -> None:
    for wrong, field in (({"scopes": ["all"]}, "scopes"), ({"scopes": []}, "scopes"), ({"days": 367}, "days")):
        with pytest.raises(ValidationFailed) as caught:
            services.create_api_key(world.actor("owner"), name="ci", **wrong)
        assert set(caught.value.fields) == {field}


def test_passwords_are_stored_by_argon2_outside_of_tests() -> None:
    from imagefactory.settings import django as shipped

    assert shipped.PASSWORD_HASHERS[0] == "django.contrib.auth.hashers.Argon2PasswordHasher"
    assert "MD5" not in " ".join(shipped.PASSWORD_HASHERS)
