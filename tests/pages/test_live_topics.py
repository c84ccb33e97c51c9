"""What a page may listen to: the grant that the stream asks for, by role, and the topics that events carry."""

from __future__ import annotations

import uuid

import pytest
from django.test import Client

from imagefactory.domain.builds.services.submit import submit_build
from imagefactory.domain.identity import services as people
from imagefactory.domain.identity.models import Membership
from imagefactory.domain.projects.services import create_project
from imagefactory.entry.jobs.outbox import deliver_batch
from imagefactory.entry.web.live import listen_to
from imagefactory.kernel import pg
from tests.conftest import INLINE, World
from tests.pages.test_pages import client


def granted(browser: Client, *topics: str, **headers: str) -> set[str]:
    answer = browser.get("/internal/stream-grant", {"path": f"/live?topics={','.join(topics)}"}, headers=headers)
    assert answer.status_code == 200, answer.content
    return set(answer.json()["topics"])


def test_the_tenants_topic_is_all_of_it_for_owners_and_ones_projects_for_others(world: World) -> None:
    create_project(world.actor("owner"), name="Hidden")
    topic = f"tenant:{world.tenant_id}"
    assert granted(client(world, "owner"), topic) == {topic}
    for role in ("admin", "member", "viewer"):
        assert granted(client(world, role), topic) == {f"project:{world.project.id}"}, role
    assert granted(client(world, "stranger"), topic) == set()


def test_projects_and_builds_are_granted_to_those_who_see_them(world: World) -> None:
    owner = world.actor("owner")
    hidden = create_project(owner, name="Hidden")
    seen = submit_build(owner, world.project.id, INLINE)
    unseen = submit_build(owner, hidden.id, INLINE)
    mine, others = {f"project:{world.project.id}", f"build:{seen.id}"}, {f"project:{hidden.id}", f"build:{unseen.id}"}
    assert granted(client(world, "owner"), *mine, *others) == mine | others
    assert granted(client(world, "viewer"), *mine, *others) == mine
    assert granted(client(world, "stranger"), *mine, *others) == set()


def test_a_person_with_two_tenants_hears_of_both_and_only_what_they_see_there(world: World) -> None:
    Membership.objects.create(tenant_id=world.tenant_id, user_id=world.users["stranger"])
    home = world.actor("stranger").tenant_id
    topics = [f"tenant:{home}", f"tenant:{world.tenant_id}", f"project:{world.project.id}"]
    assert granted(client(world, "stranger"), *topics) == {f"tenant:{home}"}


def test_ones_own_topic_is_granted_to_oneself_and_to_no_key(world: World) -> None:
    topics = [f"user:{world.users[role]}" for role in ("owner", "viewer")]
    assert granted(client(world, "viewer"), *topics) == {topics[1]}
    assert granted(Client(), topics[0], Authorization=f"Bearer {world.token('owner')}") == set()


def test_a_key_hears_within_its_scopes(world: World) -> None:
    owner = world.actor("owner")
    _, narrow = people.create_api_key(owner, name="narrow", scopes=["build:start"])
    topics = [f"tenant:{world.tenant_id}", f"project:{world.project.id}"]
    assert granted(Client(), *topics, Authorization=f"Bearer {narrow}") == set()
    assert granted(Client(), *topics, Authorization=f"Bearer {world.token('owner')}") == set(topics)


def test_nonsense_and_too_many_topics_are_left_out(world: World) -> None:
    topic = f"tenant:{world.tenant_id}"
    assert granted(client(world, "owner"), "nonsense", "tenant:x", ":", f"moon:{uuid.uuid4()}", topic) == {topic}
    assert granted(client(world, "owner"), *["x"] * 20, topic) == set()


def test_someone_signed_out_is_granted_nothing(world: World) -> None:
    assert client(world, "anonymous").get("/internal/stream-grant", {"path": "/live?topics=x"}).status_code == 401


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Collect the notices that the relay would send after its commit."""
    heard: list[str] = []
    monkeypatch.setattr(pg, "hint", lambda channel, payload: heard.append(payload) if channel == "live" else None)
    return heard


def test_an_event_names_its_tenant_project_build_and_person_and_no_content(world: World, said: list[str]) -> None:
    deliver_batch()
    said.clear()
    owner = world.actor("owner")
    build = submit_build(owner, world.project.id, {**INLINE, "name": "secret lantern"})
    people.create_api_key(owner, name="laptop")
    deliver_batch()
    text = "".join(said)
    for topic in (
        f"tenant:{world.tenant_id}",
        f"project:{world.project.id}",
        f"build:{build.id}",
        f"user:{owner.user_id}",
    ):
        assert topic in text
    assert "member.api_key_created" in text
    for content in ("secret lantern", "laptop", owner.email):
        assert content not in text


def test_a_page_starts_behind_the_newest_notice_at_the_time_it_was_asked_for(world: World, said: list[str]) -> None:
    before = listen_to(f"tenant:{world.tenant_id}")
    submit_build(world.actor("owner"), world.project.id, INLINE)
    assert listen_to("x").after == before.after
    deliver_batch()
    assert int(listen_to("x").after) > int(before.after)
    assert before.url == f"/live?topics=tenant:{world.tenant_id}"
