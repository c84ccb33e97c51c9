"""The log while it grows, with the real stream: live lines, lost connections, lost rights, following the end."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from imagefactory.domain.builds.states import BuildStatus, StageStatus
from tests.browser import log_world
from tests.browser.log_page import AT_END, NUMBERS, TEXTS, running, see, until, wait_lines
from tests.browser.log_world import Front
from tests.conftest import World

pytestmark = [pytest.mark.real, pytest.mark.django_db(transaction=True)]


# ---- live ------------------------------------------------------------------------------------------------------------


def test_lines_appear_while_the_page_is_open_and_the_end_is_told(tab: Page, front: Front, people: World) -> None:
    made = running(people, 3)
    see(tab, front, people, made.number)
    tab.evaluate("window.same = true")
    made.write("build", ["four", "five"])
    wait_lines(tab, 5)
    assert tab.evaluate(TEXTS)[-2:] == ["four", "five"]
    made.end("build")
    made.begin("publish")
    made.write("publish", ["pushed"])
    expect(tab.locator("#stage-publish")).to_be_visible()
    made.end("publish")
    made.finish(BuildStatus.SUCCEEDED)
    expect(tab.locator("log-view [role=status]")).to_have_text("The attempt is over: succeeded.")
    expect(tab.locator("[data-act=follow]")).to_be_hidden()
    opened = front.live_opened
    tab.wait_for_timeout(1500)
    assert front.live_opened == opened, "after the end nothing asks again"
    assert tab.evaluate("window.same"), "the page was not loaded again"


def test_a_stage_that_fails_is_marked_and_told_while_watching(tab: Page, front: Front, people: World) -> None:
    made = running(people, 2)
    see(tab, front, people, made.number, "/log")
    made.end("build", StageStatus.FAILED, 1, "It broke.")
    made.write("build", ["Failed: It broke."], "note")
    made.finish(BuildStatus.FAILED, "It broke.")
    expect(tab.locator("#stage-build > .log-head > .log-fold")).to_have_class(re.compile("bad"))
    expect(tab.locator(".log-rail [data-part=stages] a")).to_have_class("bad")


def test_a_queued_build_begins_in_the_open_page(tab: Page, front: Front, people: World) -> None:
    number = log_world.submit(people)
    see(tab, front, people, number)
    expect(tab.locator("[data-part=empty]")).to_contain_text("Queued: next in line")
    made = log_world.claimed(number)
    made.begin("build")
    made.write("build", ["first"])
    wait_lines(tab, 1)
    expect(tab.locator("[data-part=empty]")).to_be_hidden()
    expect(tab.locator(".log-tools a", has_text="Raw")).to_have_attribute("href", re.compile(r"\?attempt=1$"))


def test_a_lost_stream_resumes_without_losing_doubling_or_reordering(tab: Page, front: Front, people: World) -> None:
    made = running(people, 20)
    see(tab, front, people, made.number)
    for turn in range(4):
        made.write("build", [f"turn {turn} a {i}" for i in range(30)])
        front.cut()
        made.write("build", [f"turn {turn} b {i}" for i in range(30)])
        tab.wait_for_timeout(150)
    wait_lines(tab, 260)
    assert tab.evaluate(NUMBERS) == list(range(1, 261))
    expect(tab.locator("[data-part=lost]")).to_be_hidden()
    assert any("after=" in target for target in front.requests if target.startswith("/live"))


def test_while_the_stream_is_away_it_is_said_and_lines_still_come(tab: Page, front: Front, people: World) -> None:
    made = running(people, 5)
    see(tab, front, people, made.number)
    wait_lines(tab, 5)
    expect(tab.locator("[data-part=lost]")).to_be_hidden()
    front.refusing = True
    front.cut()
    made.write("build", ["told by polling"])
    expect(tab.locator("[data-part=lost]")).to_have_text(re.compile(r"^Reconnecting \u2013 last line \d\d:\d\d:\d\d$"))
    wait_lines(tab, 6)
    front.refusing = False
    expect(tab.locator("[data-part=lost]")).to_be_hidden(timeout=30_000)
    made.write("build", ["told by the stream"])
    wait_lines(tab, 7)
    assert tab.evaluate(TEXTS)[-2:] == ["told by polling", "told by the stream"]


def test_who_loses_the_right_is_told_why_and_gets_no_more(
    context: BrowserContext, tab: Page, front: Front, people: World
) -> None:
    from imagefactory.domain.identity.models import Membership

    context.clear_cookies()
    context.add_cookies([log_world.cookie(front, people, "viewer")])  # type: ignore[list-item]
    made = running(people, 1)
    see(tab, front, people, made.number)
    Membership.objects.filter(user_id=people.users["viewer"], tenant_id=people.tenant_id).delete()
    made.write("build", ["secret"])
    expect(tab.locator("[data-part=lost]")).to_contain_text("or you may not see it", timeout=40_000)
    opened = front.live_opened
    made.write("build", ["more"])
    tab.wait_for_timeout(1500)
    assert front.live_opened == opened
    assert "more" not in tab.evaluate(TEXTS)


# ---- follow ----------------------------------------------------------------------------------------------------------


def test_follow_stays_at_the_end_until_one_scrolls_up(tab: Page, front: Front, people: World) -> None:
    made = running(people, 400)
    see(tab, front, people, made.number)
    until(tab, AT_END)
    expect(tab.locator("[data-act=follow]")).to_have_attribute("aria-pressed", "true")
    made.write("build", [f"more {i}" for i in range(50)])
    until(tab, f"({TEXTS}).includes('more 49') && {AT_END}")
    tab.hover(".log-scroll")
    tab.mouse.wheel(0, -1500)
    expect(tab.locator("[data-act=follow]")).to_have_attribute("aria-pressed", "false")
    top = tab.evaluate("document.querySelector('.log-scroll').scrollTop")
    made.write("build", [f"late {i}" for i in range(214)])
    expect(tab.locator("[data-act=latest]")).to_have_text("Jump to latest (214 new)")
    assert tab.evaluate("document.querySelector('.log-scroll').scrollTop") == top
    tab.click("[data-act=latest]")
    until(tab, f"({TEXTS}).includes('late 213') && {AT_END}")
    expect(tab.locator("[data-act=latest]")).to_be_hidden()
    tab.keyboard.press("f")
    expect(tab.locator("[data-act=follow]")).to_have_attribute("aria-pressed", "false")


def test_live_lines_never_take_the_focus_or_close_a_fold(tab: Page, front: Front, people: World) -> None:
    made = running(people, 5)
    see(tab, front, people, made.number)
    tab.click("#stage-build .log-fold")
    tab.focus("[name=q]")
    made.write("build", ["STEP 1/1: RUN x", "more"])
    expect(tab.locator("[data-part=count]")).to_have_text("7 lines")
    assert tab.evaluate("document.activeElement.name") == "q"
    expect(tab.locator("#stage-build > .log-head > .log-fold")).to_have_attribute("aria-expanded", "false")
