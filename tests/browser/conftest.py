"""A browser, and web and stream behind one origin, for tests that need scripts to run."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from django.db import connection
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright
from psycopg.conninfo import make_conninfo

from tests.browser.log_world import Front, cookie, make_assets
from tests.conftest import World, make_world
from tests.stream.stream_world import Stream


@pytest.fixture(scope="session")
def assets() -> None:
    make_assets()


# A module each and not the session: only one Playwright can run at a time, and tests/stage has one of its own.
@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    # Playwright's loop runs in this thread, and Django takes that for asynchronous code.
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
        yield browser
        browser.close()
    del os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"]


class _Database:
    """What `Stream` needs of a database: the address of the one that the tests use."""

    def __init__(self) -> None:
        given = connection.get_connection_params()
        names = ("dbname", "user", "password", "passfile", "host", "port")
        self.conninfo = make_conninfo(**{name: given[name] for name in names if given.get(name)})


class _Web:
    def __init__(self, front: Front) -> None:
        self.path = front.web_socket


@pytest.fixture(scope="module")
def _front(
    assets: None,
    chromium: Browser,
    django_db_setup: None,
    live_server: Any,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Front]:
    from imagefactory.kernel import env

    made = Front((live_server.thread.host, live_server.thread.port), tmp_path_factory.mktemp("w"))
    stream = Stream(tmp_path_factory.mktemp("s"), _Database(), _Web(made))  # type: ignore[arg-type]
    stream.environment["STREAM_LOGS"] = str(env.get().data_dir / "build-logs")
    try:
        stream.start()
        made.stream_socket = stream.socket
        yield made
    finally:
        stream.stop()
        made.close()
    # Playwright's loop gives this thread a second connection; only here, inside the loop, can it be closed.
    connection.close()
    _wait_alone(_Database().conninfo)


def _wait_alone(conninfo: str) -> None:
    """Wait until web's threads have let go of the database, or it could not be dropped."""
    others = "select count(*) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()"
    with psycopg.connect(conninfo, autocommit=True) as look:
        for _ in range(100):
            if look.execute(others).fetchone() == (0,):
                return
            time.sleep(0.1)


@pytest.fixture
def front(_front: Front, live_server: Any) -> Front:
    """The origin, as it is at first; `live_server` makes the test's rows visible to web."""
    _front.refusing = False
    _front.live_opened = 0
    _front.requests.clear()
    return _front


@pytest.fixture
def people(front: Front) -> World:
    """A world whose rows are really committed: the browser's requests come over other connections."""
    return make_world()


@pytest.fixture
def context(chromium: Browser, front: Front, people: World) -> Iterator[BrowserContext]:
    made = chromium.new_context(viewport={"width": 1440, "height": 900}, timezone_id="Europe/Berlin")
    made.add_cookies([cookie(front, people)])  # type: ignore[list-item]
    yield made
    made.close()


@pytest.fixture
def tab(context: BrowserContext) -> Iterator[Page]:
    """A page that fails the test when a script throws or the content policy refuses something."""
    page = context.new_page()
    wrong: list[str] = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("console", lambda said: wrong.append(said.text) if "Content Security Policy" in said.text else None)
    yield page
    assert not wrong, wrong
