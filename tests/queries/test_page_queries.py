"""How many queries each page takes: the same however many rows it shows."""

from __future__ import annotations

import uuid

from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from imagefactory.domain.builds import queue
from imagefactory.domain.builds.services import execution
from imagefactory.domain.builds.services.submit import submit_build
from imagefactory.domain.builds.states import BuildStatus
from imagefactory.domain.identity.models import User
from imagefactory.domain.identity.services import (
    AccountFields,
    create_account_key,
    create_api_key,
    create_provider,
    create_service_account,
)
from imagefactory.domain.images.services import Published, record_image
from imagefactory.domain.notifications.services import Message, Recipient, notify
from imagefactory.domain.projects.selectors import ProjectView
from imagefactory.domain.projects.services import create_project
from imagefactory.entry.jobs.outbox import deliver_batch
from imagefactory.kernel.actor import system
from imagefactory.kernel.ids import uuid7
from tests.audit.trail import write
from tests.conftest import INLINE, World
from tests.sso.parts import directory_form, sign_in_parts

# Session, person, actor (person, tenant, roles), teams, running builds and unread notices are in each, and in
# those that listen to nothing but the badge where their stream begins; the rest is the page's own.
PAGES = {
    "overview": 21,
    "builds": 13,
    "activity": 13,
    "projects": 13,
    "images": 14,
    "project": 18,
    "project-builds": 14,
    "build": 18,
    "build-config": 14,
    "build-log": 15,
    "build-new": 17,
    "settings": 11,
    "settings-source": 15,
    "settings-credentials": 13,
    "image": 17,
    "me-keys": 20,
    "tenant-keys": 14,
    "service-accounts": 12,
    "service-account": 17,
    "tenant-network": 11,
    "me-security": 17,
    "me-sessions": 16,
    "me-history": 16,
    "team-sign-in": 13,
    "team-ci": 11,
    "notifications": 20,
    "me-notifications": 16,
}


def _finish_builds(world: World, project: ProjectView, count: int) -> None:
    owner, path = world.actor("owner"), f"{world.tenant_slug}/{project.slug}"
    for n in range(count):
        notify(
            event_id=uuid7(), kind="builds.failed", tenant_id=world.tenant_id, message=Message("Failed", []),
            to=[Recipient(owner.email, owner.name, owner.user_id)], channels=["in_app"],
        )  # fmt: skip
        build = submit_build(owner, project.id, INLINE)
        claim = queue.claim("w")
        assert claim is not None
        execution.begin(claim, ["fetch", "lint", "build", "publish"])
        execution.finish(claim, BuildStatus.FAILED, failure=execution.Failure("x", "build", "It failed."))
        digest = f"sha256:{project.id.hex}{build.number:032x}"
        published = Published(path, digest, "application/x", 10, ["linux/amd64"], {}, [])
        record_image(
            system("dispatcher"), tenant_id=world.tenant_id, project_id=project.id, published=published,
            tags=["latest", f"v{n}"], origin={"kind": "build", "number": str(build.number)},
        )  # fmt: skip


def _keys(world: World, project: ProjectView, count: int) -> uuid.UUID:
    """Make keys of people and of a service account, within a project, and return the account's id."""
    owner = world.actor("owner")
    fields = AccountFields(f"robot {count}", "ops@example.com", role="member", project_ids=[project.id])
    account = create_service_account(owner, fields)
    for n in range(count):
        create_api_key(owner, name=f"key {n}", project_ids=[project.id])
        create_account_key(owner, account.id, name=f"key {n}", project_ids=[project.id])
    return account.id


def _counts(world: World, account: uuid.UUID) -> dict[str, int]:
    browser = Client()
    browser.force_login(User.objects.get(id=world.users["owner"]))
    found = {}
    for name in PAGES:
        arguments: dict[str, object] = {"tenant": world.tenant_slug, "project": "project-0", "number": 1}
        wanted = (
            {"tenant"}
            if name
            in {
                "overview",
                "builds",
                "activity",
                "projects",
                "images",
                "service-accounts",
                "team-sign-in",
                "team-ci",
                "tenant-keys",
                "tenant-network",
            }
            else {"tenant", "project"}
        )
        wanted |= {"number"} if name in {"build", "build-config", "build-log"} else set()
        arguments = {k: v for k, v in arguments.items() if k in wanted}
        if name == "image":
            arguments = {"tenant": world.tenant_slug, "name": "project-0"}
        if name == "service-account":
            arguments = {"tenant": world.tenant_slug, "account_id": account}
        own = name.startswith(("me-", "notifications"))
        address = reverse(name, kwargs={} if own else arguments)
        browser.get(address)  # the first visit writes which team was used last
        with CaptureQueriesContext(connection) as queries:
            assert browser.get(address).status_code == 200, name
        found[name] = len(queries)
    return found


def test_every_page_takes_a_known_number_of_queries_however_much_it_shows(world: World) -> None:
    owner = world.actor("owner")
    first = create_project(owner, name="Project 0")
    account = _keys(world, first, 1)
    _finish_builds(world, first, 1)
    write(60, world.tenant_id)
    sign_in_parts(world)
    few = _counts(world, account)
    _finish_builds(world, first, 20)
    for n in range(3):
        create_provider(owner, "ldap", directory_form(f"More {n}"))
    _keys(world, first, 12)
    for i in range(1, 12):
        _finish_builds(world, create_project(owner, name=f"Project {i}"), 2)
    while deliver_batch():
        pass
    assert _counts(world, account) == few
    assert few == PAGES
