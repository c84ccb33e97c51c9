"""Every page for every role: who sees it, who may act, and what a stranger gets."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import get_resolver

from imagefactory.domain.builds import queue
from imagefactory.domain.builds.services import execution
from imagefactory.domain.builds.services.submit import submit_build
from imagefactory.domain.builds.states import BuildStatus
from tests.conftest import INLINE, PASSWORD, World

ROLES = ("anonymous", "stranger", "viewer", "member", "admin", "owner")
# page -> the status for each role, in the order of ROLES; 302 leads to sign-in, or onwards.
PAGES: dict[str, tuple[int, ...]] = {
    "home": (302, 302, 302, 302, 302, 302),
    "login": (200, 200, 200, 200, 200, 200),
    "signup": (200, 200, 200, 200, 200, 200),
    "tenant": (302, 404, 200, 200, 200, 200),
    "images": (302, 404, 200, 200, 200, 200),
    "project-new": (302, 404, 403, 403, 403, 200),
    "build-new": (302, 404, 403, 200, 200, 200),
    "build": (302, 404, 200, 200, 200, 200),
    "build-log-raw": (302, 404, 200, 200, 200, 200),
}
ACTIONS: dict[str, tuple[int, ...]] = {
    "build-rerun": (302, 404, 403, 302, 302, 302),
    "build-cancel": (302, 404, 403, 403, 302, 302),
}
ELSEWHERE = {"logout", "healthz", "stream-grant", "registry-events", "registry-token", "api-docs"}


def client(world: World, role: str) -> Client:
    made = Client(raise_request_exception=False)
    if role != "anonymous":
        from imagefactory.domain.identity.models import User

        made.force_login(User.objects.get(id=world.users[role]))
    return made


def address(world: World, name: str, number: int) -> str:
    from django.urls import reverse

    arguments: dict[str, object] = {}
    if name not in {"home", "login", "signup"}:
        arguments["tenant"] = world.tenant_slug
    if name.startswith("build"):
        arguments["project"] = world.project.slug
    if name in {"build", "build-log-raw", "build-cancel", "build-rerun"}:
        arguments["number"] = number
    return reverse(name, kwargs=arguments)


def test_every_page_has_a_row() -> None:
    names = {p.name for p in get_resolver("imagefactory.entry.web.urls").url_patterns if hasattr(p, "name")}
    assert names - ELSEWHERE == set(PAGES) | set(ACTIONS)


@pytest.mark.parametrize("role", ROLES)
def test_each_role_gets_each_page_as_the_table_says(world: World, role: str) -> None:
    build = submit_build(world.actor("owner"), world.project.id, INLINE)
    claim = queue.claim("w")
    assert claim is not None
    execution.begin(claim, ["fetch", "lint", "build", "publish"])
    browser, column = client(world, role), ROLES.index(role)
    for name, statuses in PAGES.items():
        answer = browser.get(address(world, name, build.number))
        assert answer.status_code == statuses[column], (name, answer.content[:300])
        assert b"INVALID-VARIABLE" not in answer.getvalue(), name


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("name", ACTIONS)
def test_each_role_may_act_as_the_table_says(world: World, role: str, name: str) -> None:
    build = submit_build(world.actor("owner"), world.project.id, INLINE)
    if name == "build-rerun":
        claim = queue.claim("w")
        assert claim is not None
        execution.finish(claim, BuildStatus.FAILED, failure=execution.Failure("step_failed", "build", "It failed."))
    answer = client(world, role).post(address(world, name, build.number))
    assert answer.status_code == ACTIONS[name][ROLES.index(role)], answer.content[:300]


@pytest.mark.django_db
def test_signing_up_leads_to_the_tenant_and_wrong_fields_are_told(db: None) -> None:
    browser = Client(raise_request_exception=False)
    form = {"name": "Ada", "email": "ada@example.com", "password": "short", "tenant_name": "Ada's", "time_zone": "UTC"}
    answer = browser.post("/signup", form)
    assert answer.status_code == 422
    assert b"Ada" in answer.content
    answer = browser.post("/signup", form | {"password": PASSWORD}, follow=True)
    assert answer.status_code == 200
    assert answer.redirect_chain
