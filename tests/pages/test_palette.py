"""The palette: what each person finds, and what nobody finds who may not open it."""

from __future__ import annotations

import re

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from imagefactory.domain.builds.services.submit import submit_build
from imagefactory.domain.identity.models import Membership
from imagefactory.domain.projects.services import create_project
from imagefactory.entry.web.navigation import entries
from tests.conftest import INLINE, World
from tests.pages.test_pages import client

_OPTION = re.compile(r'<a role="option"[^>]* href="([^"]+)"><span>([^<]*)</span>')


def find(browser: Client, tenant: str, q: str = "") -> dict[str, str]:
    """Return label -> address of the answers."""
    answer = browser.get("/palette", {"q": q, "tenant": tenant})
    assert answer.status_code == 200, answer.content
    assert b"INVALID-VARIABLE" not in answer.content
    return {label: address for address, label in _OPTION.findall(answer.content.decode())}


@pytest.mark.parametrize("role", ["owner", "admin", "member", "viewer"])
def test_every_answer_opens_for_the_one_who_got_it(world: World, role: str) -> None:
    submit_build(world.actor("owner"), world.project.id, INLINE)
    browser = client(world, role)
    found = find(browser, world.tenant_slug)
    assert {"Builds", "Images", "Checkout API"} <= set(found)
    assert {label: browser.get(address, follow=True).status_code for label, address in found.items()} == dict.fromkeys(
        found, 200
    )


@pytest.mark.parametrize(("role", "offered"), [("owner", True), ("admin", False), ("viewer", False)])
def test_a_page_is_offered_only_to_those_who_may_open_it(world: World, role: str, offered: bool) -> None:
    assert ("New project" in find(client(world, role), world.tenant_slug, "new")) is offered
    assert ("New project" in {e.label for e in entries(world.actor(role))}) is offered


def test_builds_are_found_by_number_and_by_words(world: World) -> None:
    owner = world.actor("owner")
    for name in ("amber lantern", "blue kettle", "amber stove"):
        submit_build(owner, world.project.id, {**INLINE, "name": name})
    browser = client(world, "member")
    assert [label for label in find(browser, world.tenant_slug, "amber") if label[0] == "#"] == [
        "#3 amber stove",
        "#1 amber lantern",
    ]
    for text in ("2", "#2"):
        assert find(browser, world.tenant_slug, text)["#2 blue kettle"].endswith("/builds/2")
    assert not find(browser, world.tenant_slug, "copper")


def test_builds_of_a_project_that_one_is_not_in_are_not_found(world: World) -> None:
    owner = world.actor("owner")
    hidden = create_project(owner, name="Hidden Vault")
    submit_build(owner, hidden.id, {**INLINE, "name": "secret lantern"})
    assert {"Hidden Vault", "#1 secret lantern"} <= set(find(client(world, "owner"), world.tenant_slug))
    for q in ("", "vault", "secret", "1", "#1"):
        assert not {"Hidden Vault", "#1 secret lantern"} & set(find(client(world, "viewer"), world.tenant_slug, q))


def test_a_stranger_gets_404_and_someone_signed_out_the_sign_in(world: World) -> None:
    ask = {"tenant": world.tenant_slug, "q": ""}
    assert client(world, "stranger").get("/palette", ask).status_code == 404
    assert client(world, "owner").get("/palette", {**ask, "tenant": "no-such-tenant"}).status_code == 404
    assert client(world, "anonymous").get("/palette", ask).status_code == 302
    assert client(world, "anonymous").get("/palette").status_code == 302


def test_without_a_tenant_one_finds_ones_own_tenants(world: World) -> None:
    Membership.objects.create(tenant_id=world.tenant_id, user_id=world.users["stranger"])
    browser = client(world, "stranger")
    assert set(find(browser, "").values()) == {f"/t/{world.stranger_slug}/", f"/t/{world.tenant_slug}/"}
    assert set(find(browser, "", world.stranger_slug).values()) == {f"/t/{world.stranger_slug}/"}
    assert set(find(client(world, "owner"), "").values()) == {f"/t/{world.tenant_slug}/"}


@pytest.mark.parametrize("q", ["x" * 5000, "\0", "%", "_", "<script>", "#", "9" * 40, "٣", "\ud7ff💡"])
def test_any_text_is_a_question(world: World, q: str) -> None:
    submit_build(world.actor("owner"), world.project.id, {**INLINE, "name": "amber lantern"})
    answer = client(world, "owner").get("/palette", {"q": q, "tenant": world.tenant_slug})
    assert answer.status_code == 200
    assert b"<script" not in answer.content
    if q in {"%", "_"}:
        assert b"amber" not in answer.content


def test_there_are_at_most_eight_of_each_and_as_many_queries_for_many_as_for_one(world: World) -> None:
    owner = world.actor("owner")
    submit_build(owner, world.project.id, {**INLINE, "name": "amber"})
    create_project(owner, name="amber 0")
    browser = client(world, "owner")
    find(browser, world.tenant_slug, "amber")
    with CaptureQueriesContext(connection) as few:
        find(browser, world.tenant_slug, "amber")
    for number in range(1, 12):
        submit_build(owner, world.project.id, {**INLINE, "name": "amber"})
        create_project(owner, name=f"amber {number}")
    with CaptureQueriesContext(connection) as many:
        found = find(browser, world.tenant_slug, "amber")
    assert len([label for label in found if label[0] == "#"]) == 8
    assert len([label for label in found if label.startswith("amber")]) == 8
    assert len(many) == len(few)
