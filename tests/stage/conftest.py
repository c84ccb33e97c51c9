"""Fixtures of the stage: its processes, a world in their database, Chromium, and a tab that is signed in."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlencode

import pytest
from django.db import connections
from django.test import Client
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from tests.conftest import make_world
from tests.stage.servers import Servers, Stage, wait_for


def _address(parameters: dict[str, Any]) -> str:
    given = {"host": parameters["HOST"], "port": parameters["PORT"], "password": parameters["PASSWORD"]}
    given |= {k: v for k, v in parameters["OPTIONS"].items() if isinstance(v, str) and k != "application_name"}
    query = urlencode({k: v for k, v in given.items() if v})
    return f"postgresql://{parameters['USER']}@/{parameters['NAME']}?{query}"


def _alone() -> bool:
    with connections["default"].cursor() as cursor:
        cursor.execute(
            "select count(*) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()"
        )
        return int(cursor.fetchone()[0]) == 0


@pytest.fixture(scope="module")
def servers(django_db_setup: None, django_db_blocker: Any) -> Iterator[Servers]:
    """Start the processes on the database of the tests."""
    # Playwright keeps an event loop in this thread; the ORM is only used between its calls.
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
    with django_db_blocker.unblock():
        made = Servers(_address(connections["default"].settings_dict))
    try:
        made.start_all()
        yield made
    finally:
        made.stop_all()
        with django_db_blocker.unblock():
            wait_for(_alone, "the processes' connections to end")
            connections.close_all()
        del os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"]


@pytest.fixture(scope="module")
def chromium(servers: Servers) -> Iterator[Browser]:
    found = shutil.which("chromium")
    assert found, "Chromium is missing: install the Debian package chromium."
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=found,
            args=["--no-sandbox", "--disable-dev-shm-usage"],
            ignore_default_args=["--disable-back-forward-cache"],
        )
        yield browser
        # While Playwright's event loop runs, Django keeps this thread's connection in another place.
        connections.close_all()
        browser.close()


@pytest.fixture
def stage(servers: Servers, chromium: Browser, transactional_db: None) -> Iterator[Stage]:
    """Make a world; the database is empty again after the test, once the worker has nothing left to deliver."""
    from imagefactory.kernel.outbox.models import OutboxEvent

    yield Stage(servers, make_world())
    wait_for(lambda: not OutboxEvent.objects.filter(delivered_at=None).exists(), "the worker to deliver the events")


@pytest.fixture
def sign_in(stage: Stage, chromium: Browser) -> Iterator[Callable[..., BrowserContext]]:
    """Return a function that makes a browser context in which a role is signed in; page errors fail the test."""
    from imagefactory.domain.identity.models import User

    made: list[BrowserContext] = []
    wrong: list[str] = []

    def watch(page: Page) -> None:
        page.on("pageerror", lambda error: wrong.append(f"{page.url}: {error}"))
        page.on("console", lambda m: wrong.append(m.text) if "Content Security Policy" in m.text else None)

    def enter(role: str | None = "owner", **options: Any) -> BrowserContext:
        context = chromium.new_context(base_url=stage.servers.url, **options)
        context.set_default_timeout(20_000)
        context.on("page", watch)
        if role:
            client = Client()
            client.force_login(User.objects.get(id=stage.world.users[role]))
            session = client.cookies["session"].value
            context.add_cookies([{"name": "session", "value": session, "url": stage.servers.url}])
        made.append(context)
        return context

    yield enter
    for context in made:
        context.close()
    assert wrong == []


@pytest.fixture
def tab(stage: Stage, sign_in: Callable[..., BrowserContext]) -> Page:
    """Return a page of the owner, at the stage."""
    page = sign_in().new_page()
    page.goto(stage.parts)
    page.wait_for_selector("html.js")
    return page
