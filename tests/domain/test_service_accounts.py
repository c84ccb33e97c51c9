"""Service accounts: who makes them, how far they reach, and that they stop at once and stay when their maker leaves."""

from __future__ import annotations

import uuid

import pytest

from imagefactory.domain.builds.models import Build
from imagefactory.domain.builds.services.submit import submit_build
from imagefactory.domain.identity import selectors, services
from imagefactory.domain.identity.errors import ServiceAccountNotFound
from imagefactory.domain.identity.models import Membership, RoleBinding
from imagefactory.domain.identity.permissions import Permission, Role
from imagefactory.domain.projects.selectors import list_projects
from imagefactory.domain.projects.services import create_project
from imagefactory.kernel.actor import Actor, ActorKind
from imagefactory.kernel.errors import PermissionDenied, Unauthorized, ValidationFailed
from imagefactory.kernel.outbox.models import OutboxEvent
from tests.conftest import INLINE, World


def fields(**changed: object) -> services.AccountFields:
    given: dict[str, object] = {"name": "ci-deploy", "contact_email": "ops@example.com", "role": "member"}
    return services.AccountFields(**given | changed)  # type: ignore[arg-type]


def made(world: World, maker: str = "owner", **changed: object) -> tuple[uuid.UUID, str]:
    account = services.create_service_account(world.actor(maker), fields(**changed))
    return account.id, services.create_account_key(world.actor(maker), account.id, name="pipeline")[1]


def test_a_service_account_acts_as_itself_and_stands_so_in_the_record(world: World) -> None:
    account_id, text = made(world)
    actor = selectors.actor_for_token(text)
    assert (actor.kind, actor.name, actor.user_id) == (
        ActorKind.SERVICE_ACCOUNT, "ci-deploy (service account)", None,
    )  # fmt: skip
    build = submit_build(actor, world.project.id, INLINE)
    row = Build.objects.get(id=build.id)
    assert (row.created_by_id, row.created_by_name) == (account_id, "ci-deploy (service account)")
    assert row.started_by_id == actor.key_id
    told = OutboxEvent.objects.get(type="build.created")
    assert (told.actor_id, told.actor_kind, told.actor_name) == (account_id, "service", "ci-deploy (service account)")


def test_two_service_accounts_do_not_share_their_idempotency_keys(world: World) -> None:
    _, one = made(world)
    _, two = made(world, name="other")
    builds = {
        submit_build(selectors.actor_for_token(text), world.project.id, INLINE, idempotency_key="release").id
        for text in (one, one, two)
    }
    assert len(builds) == 2


def test_an_admin_makes_accounts_for_their_projects_and_no_wider_than_themselves(world: World) -> None:
    other, admin = create_project(world.actor("owner"), name="Other"), world.actor("admin")
    account_id, text = made(world, "admin", project_ids=[world.project.id])
    assert [p.id for p in list_projects(selectors.actor_for_token(text))[0]] == [world.project.id]
    for projects in (None, [other.id], [world.project.id, other.id]):
        with pytest.raises(PermissionDenied):
            services.create_service_account(admin, fields(name="wider", project_ids=projects))
    with pytest.raises(ValidationFailed) as refused:
        services.create_service_account(
            admin, fields(role="", permissions=["billing:view"], project_ids=[world.project.id])
        )
    assert "billing:view" in str(refused.value.fields)
    for role in ("member", "viewer"):
        with pytest.raises(PermissionDenied):
            services.create_service_account(world.actor(role), fields(name="x", project_ids=[world.project.id]))
    for role in ("member", "viewer", "stranger"):
        with pytest.raises(ServiceAccountNotFound):
            selectors.service_account(world.actor(role), account_id)


def test_an_admin_sees_and_changes_only_accounts_of_their_own_projects(world: World) -> None:
    other = create_project(world.actor("owner"), name="Other")
    wide, _ = made(world)
    both, _ = made(world, name="both", project_ids=[world.project.id, other.id])
    mine, _ = made(world, name="mine", project_ids=[world.project.id])
    assert [a.id for a in selectors.service_accounts(world.actor("admin"))] == [mine]
    assert {a.id for a in selectors.service_accounts(world.actor("owner"))} == {wide, both, mine}
    for account_id in (wide, both):
        for act in (
            lambda a, i: services.update_service_account(a, i, fields()),
            lambda a, i: services.switch_service_account(a, i, on=False),
            services.delete_service_account, services.take_over_service_account,
            lambda a, i: services.create_account_key(a, i, name="x"),
        ):  # fmt: skip
            with pytest.raises(ServiceAccountNotFound):
                act(world.actor("admin"), account_id)
    with pytest.raises(PermissionDenied):  # nor widened into a project that they do not manage
        services.update_service_account(world.actor("admin"), mine, fields(name="mine", project_ids=[other.id]))


def test_what_is_taken_from_an_account_is_taken_from_its_keys_with_the_next_request(world: World) -> None:
    other = create_project(world.actor("owner"), name="Other")
    account_id, text = made(world)
    assert selectors.actor_for_token(text).may(Permission.BUILD_START, other.id)
    services.update_service_account(
        world.actor("owner"), account_id, fields(role="viewer", project_ids=[world.project.id])
    )
    actor = selectors.actor_for_token(text)
    assert not actor.may(Permission.BUILD_START, world.project.id)
    assert actor.may(Permission.PROJECT_VIEW, world.project.id)
    assert not actor.may(Permission.PROJECT_VIEW, other.id)
    told = OutboxEvent.objects.get(type="service_account.changed").payload
    assert (told["before"]["role"], told["after"]["role"]) == ("member", "viewer")


def test_a_key_of_an_account_is_never_wider_than_the_account(world: World) -> None:
    owner, other = world.actor("owner"), create_project(world.actor("owner"), name="Other")
    account = services.create_service_account(owner, fields(project_ids=[world.project.id]))
    for wrong in ({"scopes": ["team:manage"]}, {"project_ids": [other.id]}):
        with pytest.raises(ValidationFailed):
            services.create_account_key(owner, account.id, name="x", **wrong)


def test_switched_off_or_deleted_its_keys_stop_at_once(world: World) -> None:
    owner = world.actor("owner")
    account_id, text = made(world)
    services.switch_service_account(owner, account_id, on=False)
    with pytest.raises(Unauthorized, match="switched off"):
        selectors.actor_for_token(text)
    services.switch_service_account(owner, account_id, on=True)
    assert selectors.actor_for_token(text).service_account_id == account_id
    services.delete_service_account(owner, account_id)
    with pytest.raises(Unauthorized):
        selectors.actor_for_token(text)
    with pytest.raises(ServiceAccountNotFound):
        selectors.service_account(owner, account_id)
    assert made(world)[0] != account_id  # the name is free again


def test_it_survives_its_maker_is_listed_for_review_and_taken_over(world: World) -> None:
    account_id, text = made(world, "admin", project_ids=[world.project.id])
    assert not selectors.service_account(world.actor("owner"), account_id).needs_review
    for model in (RoleBinding, Membership):
        model.objects.filter(user_id=world.users["admin"], tenant_id=world.tenant_id).delete()
    assert selectors.actor_for_token(text).service_account_id == account_id
    assert selectors.service_account(world.actor("owner"), account_id).needs_review
    services.take_over_service_account(world.actor("owner"), account_id)
    found = selectors.service_account(world.actor("owner"), account_id)
    assert (found.needs_review, found.keeper) == (False, "Owner")


@pytest.mark.parametrize(
    ("wrong", "field"),
    [({"name": ""}, "name"), ({"name": "x" * 61}, "name"), ({"contact_email": "nobody"}, "contact_email"),
     ({"contact_email": "a" * 250 + "@example.com"}, "contact_email"), ({"role": "owner"}, "role"),
     ({"role": "", "permissions": []}, "permissions"), ({"role": "", "permissions": ["all"]}, "permissions"),
     ({"project_ids": []}, "project_ids"), ({"description": "x" * 301}, "description")],
)  # fmt: skip
def test_bad_fields_are_named(world: World, wrong: dict[str, object], field: str) -> None:
    with pytest.raises(ValidationFailed) as refused:
        services.create_service_account(world.actor("owner"), fields(**wrong))
    assert set(refused.value.fields) == {field}


def test_a_name_is_taken_whatever_its_case(world: World) -> None:
    made(world)
    with pytest.raises(ValidationFailed, match="correct"):
        services.create_service_account(world.actor("owner"), fields(name="CI-Deploy"))


def test_it_pulls_base_images_and_cannot_sign_in(world: World) -> None:
    from imagefactory.domain.images.selectors import may_read

    account_id, text = made(world, role=Role.VIEWER)
    actor: Actor = selectors.actor_for_token(text)
    assert may_read(actor, "library/debian")
    with pytest.raises(Unauthorized):
        selectors.actor_for_user(account_id, world.tenant_slug)
