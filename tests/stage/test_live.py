"""Live pages in Chromium: real events from the outbox through worker, stream and front door into blocks of a page."""

from __future__ import annotations

import re
import signal
from collections.abc import Callable

import httpx
import pytest
from playwright.sync_api import BrowserContext, Page, expect

from imagefactory.domain.builds.selectors import BuildView
from imagefactory.domain.builds.services.cancel import cancel_build
from imagefactory.domain.builds.services.submit import submit_build
from tests.conftest import INLINE
from tests.stage.servers import Servers, Stage, wait_for

pytestmark = [pytest.mark.real, pytest.mark.django_db(transaction=True)]

Enter = Callable[..., BrowserContext]
NEW = "{} new build{} \N{EN DASH} show"


def connections(servers: Servers) -> int:
    """Return how many event streams are open."""
    with httpx.Client(transport=httpx.HTTPTransport(uds=str(servers.site.run / "stream.sock"))) as client:
        return int(client.get("http://stream/healthz").json()["connections"])


def submit(stage: Stage) -> BuildView:
    return submit_build(stage.world.actor("owner"), stage.world.project.id, INLINE)


def watch(stage: Stage, context: BrowserContext) -> Page:
    """Open the live list and wait until it listens."""
    wait_for(lambda: connections(stage.servers) == 0, "the pages of the last test to go")
    page = context.new_page()
    page.goto(f"{stage.parts}/builds")
    wait_for(lambda: connections(stage.servers) == 1, "the page to listen")
    return page


def test_a_block_changes_in_place_and_keeps_focus_and_open_details(stage: Stage, sign_in: Enter) -> None:
    build = submit(stage)
    page = watch(stage, sign_in())
    row = page.locator("[data-row]")
    expect(row).to_have_text(re.compile("Queued"))
    page.locator("#more summary").click()
    page.get_by_role("link", name=f"#{build.number}").focus()
    page.evaluate("document.querySelector('[data-row]').mine = true")
    page.evaluate("document.addEventListener('blockchange', () => { window.changes = (window.changes ?? 0) + 1; })")
    cancel_build(stage.world.actor("owner"), build.id)
    expect(row).to_have_text(re.compile("Cancelled"))
    assert page.evaluate("document.querySelector('[data-row]').mine") is True
    expect(page.get_by_role("link", name=f"#{build.number}")).to_be_focused()
    expect(page.locator("#more p")).to_be_visible()
    assert page.evaluate("window.changes") >= 1
    expect(page.locator("#live-state")).to_be_hidden()


@pytest.mark.parametrize("role", ["owner", "viewer"])
def test_new_rows_are_told_by_a_bar_and_come_when_asked_for(stage: Stage, sign_in: Enter, role: str) -> None:
    submit(stage)
    page = watch(stage, sign_in(role))
    expect(page.locator("[data-row]")).to_have_count(1)
    top = page.locator("[data-row]").bounding_box()
    submit(stage)
    bar = page.locator(".newbar")
    expect(bar).to_have_text(NEW.format(1, ""))
    newest = submit(stage)
    expect(bar).to_have_text(NEW.format(2, "s"))
    expect(page.locator("[data-row]")).to_have_count(1)
    assert page.locator("[data-row]").bounding_box() == top
    expect(page).to_have_title("3 builds")
    expect(page.locator("#announce")).to_have_text(re.compile("There are 3 builds|2 new builds"))
    bar.focus()
    page.keyboard.press("Enter")
    expect(page.locator("[data-row]")).to_have_count(3)
    expect(bar).to_have_count(0)
    expect(page.get_by_role("link", name=f"#{newest.number}")).to_be_focused()


def test_an_empty_list_fills_at_once(stage: Stage, sign_in: Enter) -> None:
    page = watch(stage, sign_in())
    submit(stage)
    expect(page.locator("[data-row]")).to_have_count(1)
    expect(page.locator(".newbar")).to_have_count(0)


def test_a_lost_stream_is_said_polled_around_and_taken_up_again(stage: Stage, sign_in: Enter) -> None:
    build = submit(stage)
    page = watch(stage, sign_in())
    stage.servers.stop("stream", signal.SIGKILL)
    try:
        state = page.locator("#live-state")
        expect(state).to_have_text(re.compile(r"^Reconnecting . last update \d\d:\d\d:\d\d$"), timeout=60_000)
        expect(state).to_be_visible()
        cancel_build(stage.world.actor("owner"), build.id)
        expect(page.locator("[data-row]")).to_have_text(re.compile("Cancelled"), timeout=90_000)
        expect(state).to_be_visible()
    finally:
        stage.servers.start("stream")
    expect(state).to_be_hidden(timeout=90_000)
    submit(stage)
    expect(page.locator(".newbar")).to_have_text(NEW.format(1, ""))


def test_what_happened_while_the_page_was_hidden_comes_when_it_is_seen_again(stage: Stage, sign_in: Enter) -> None:
    context = sign_in()
    context.add_init_script(
        "Object.defineProperty(Document.prototype, 'hidden', { get: () => Boolean(globalThis.away) });"
    )
    context.clock.install()
    build = submit(stage)
    page = watch(stage, context)
    seen = "(away) => { globalThis.away = away; document.dispatchEvent(new Event('visibilitychange')); }"
    page.evaluate(seen, True)
    page.clock.fast_forward(40_000)
    assert connections(stage.servers) == 1
    page.clock.fast_forward(25_000)
    wait_for(lambda: connections(stage.servers) == 0, "the page to stop listening")
    page.clock.fast_forward(40_000)
    assert connections(stage.servers) == 0
    cancel_build(stage.world.actor("owner"), build.id)
    page.evaluate(seen, False)
    page.clock.resume()
    expect(page.locator("[data-row]")).to_have_text(re.compile("Cancelled"))


def test_someone_signed_out_is_told_and_nothing_is_asked_again(stage: Stage, sign_in: Enter) -> None:
    context = sign_in()
    page = watch(stage, context)
    context.clear_cookies()
    submit(stage)
    expect(page.locator("#live-state")).to_have_text("You are signed out. Reload the page to sign in.")
    wait_for(lambda: connections(stage.servers) == 0, "the page to stop listening")
    expect(page.locator("[data-row]")).to_have_count(0)


def test_a_page_from_the_back_forward_cache_listens_again(stage: Stage, sign_in: Enter) -> None:
    submit(stage)
    page = watch(stage, sign_in())
    page.evaluate("globalThis.kept = true")
    page.goto(stage.parts)
    wait_for(lambda: connections(stage.servers) == 0, "the page to stop listening")
    page.go_back(wait_until="commit")
    wait_for(lambda: connections(stage.servers) == 1, "the page to listen again")
    submit(stage)
    expect(page.locator(".newbar")).to_have_text(NEW.format(1, ""))
    assert page.evaluate("globalThis.kept") is True
