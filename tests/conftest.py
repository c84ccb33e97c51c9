"""Worlds: a tenant with a person in each role, a stranger in another tenant, a project."""

from __future__ import annotations

import dataclasses
import time
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from imagefactory.domain.identity import selectors as identity
from imagefactory.domain.identity import services as people
from imagefactory.domain.identity.permissions import Role
from imagefactory.domain.projects.selectors import ProjectView
from imagefactory.domain.projects.services import create_project
from imagefactory.kernel import ids
from imagefactory.kernel.actor import Actor, ActorKind, system

PASSWORD = "correct horse battery"
DOCKERFILE = "FROM scratch\nCOPY hello /hello\n"
INLINE = {"source": {"kind": "inline", "files": {"hello": "hi"}}, "dockerfile": {"inline": DOCKERFILE}}


@dataclasses.dataclass
class World:
    """One tenant with a project and a person in each role, and a stranger who owns another tenant."""

    tenant_id: uuid.UUID
    tenant_slug: str
    project: ProjectView
    users: dict[str, uuid.UUID]
    stranger_slug: str

    def actor(self, role: str) -> Actor:
        slug = self.stranger_slug if role == "stranger" else self.tenant_slug
        return identity.actor_for_user(self.users[role], slug)

    def token(self, role: str) -> str:
        return people.create_api_key(self.actor(role), name="test")[1]

    def api(self, role: str) -> Callable[..., Any]:
        """Return a function that calls the API as `role`: api("post", "/builds", {...})."""
        token = self.token(role)
        client = Client(raise_request_exception=False)

        def call(method: str, path: str, body: Any = None, **headers: str) -> Any:
            return client.generic(
                method.upper(),
                f"/api/v1{path}",
                b"" if body is None else __import__("json").dumps(body),
                content_type="application/json",
                headers={"Authorization": f"Bearer {token}", **headers},
            )

        return call


def _sign_up(name: str) -> people.SignedUp:
    slug = f"{name}-{ids.token(3)}"
    who = Actor(ActorKind.SYSTEM, "test", address=slug)
    return people.sign_up(
        who,
        name=name.capitalize(),
        email=f"{slug}@example.com",
        password=PASSWORD,
        tenant_name=slug,
        tenant_slug=slug,
    )


def make_world() -> World:
    from imagefactory.domain.identity.models import Membership

    owner, stranger = _sign_up("owner"), _sign_up("stranger")
    boss = identity.actor_for_user(owner.user_id)
    project = create_project(boss, name="Checkout API")
    users = {"owner": owner.user_id, "stranger": stranger.user_id}
    for role in (Role.ADMIN, Role.MEMBER, Role.VIEWER):
        person = _sign_up(role)
        Membership.objects.create(tenant_id=owner.tenant_id, user_id=person.user_id)
        people.set_project_role(boss, person.user_id, project.id, role)
        users[role] = person.user_id
    return World(owner.tenant_id, owner.tenant_slug, project, users, stranger.tenant_slug)


@pytest.fixture
def world(db: None) -> World:
    return make_world()


@pytest.fixture
def dispatcher() -> Actor:
    return system("dispatcher")


def next_millisecond() -> None:
    """Wait until ids that are made now are above those made before: within one millisecond their order is chance."""
    began = time.time_ns() // 1_000_000
    while time.time_ns() // 1_000_000 == began:
        pass
