"""The log viewer in a real browser, with the real stream: live lines, lost connections, hostile text, long logs."""

from __future__ import annotations

import gzip
import json
import re
import time
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from imagefactory.domain.builds.services.submit import rerun_build
from imagefactory.domain.builds.states import BuildStatus, StageStatus
from imagefactory.entry.web import log_pages
from tests.browser import log_world
from tests.browser.log_world import Front, Run
from tests.conftest import World

pytestmark = [pytest.mark.real, pytest.mark.django_db(transaction=True)]

DIST = log_world.ROOT / "src/imagefactory/entry/web/static/dist"
TEXTS = "Array.from(document.querySelectorAll('log-view .ln > span'), e => e.textContent)"
NUMBERS = "Array.from(document.querySelectorAll('log-view .ln[data-line]'), e => +e.dataset.line)"
AT_END = "(e => e.scrollHeight - e.scrollTop - e.clientHeight < 24)(document.querySelector('.log-scroll'))"


def see(tab: Page, front: Front, world: World, number: int, rest: str = "") -> None:
    tab.goto(log_world.page_url(front, world, number, rest))
    tab.wait_for_selector("log-view.ready")


def running(world: World, lines: int = 0) -> Run:
    made = log_world.run(world)
    made.begin("build")
    made.write("build", [f"line {i + 1}" for i in range(lines)])
    return made


def failed(world: World, *steps: list[str]) -> Run:
    made = log_world.run(world)
    log_world.fill(made, steps, fail=True)
    return made


def until(tab: Page, condition: str, seconds: float = 15) -> None:
    """Wait for a condition of the page. The content policy forbids what Playwright's own waiting does."""
    end = time.monotonic() + seconds
    while not tab.evaluate(condition):
        assert time.monotonic() < end, f"waited {seconds} s for {condition}"
        tab.wait_for_timeout(30)


def wait_lines(tab: Page, count: int) -> None:
    until(tab, f"({NUMBERS}).length >= {count}")


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


# ---- what a line may hold --------------------------------------------------------------------------------------------

HOSTILE = [
    "<script>window.hit = 1</script><img src=x onerror='window.hit = 2'>",
    "\x1b]8;;javascript:alert(1)\x07click\x1b]8;;\x07 \x1b]0;title\x07after",
    "\x1b[2J\x1b[1;1H\x1b[5Aup \x1b[38;2;1;2mhalf \x1b[999999mx",
    "javascript:alert(1) https://example.org/a?b=<b>&c=1). \"https://x.example/'onmouseover=alert(1)",
    "\u202etxt.exe \x07\x08\x9b31m bell",
    "\x1b[31",
]


def test_hostile_text_stays_text(tab: Page, front: Front, people: World) -> None:
    made = failed(people, HOSTILE)
    see(tab, front, people, made.number)
    tab.wait_for_timeout(200)
    assert tab.evaluate("window.hit") is None
    assert tab.locator("log-view script, log-view img, log-view .ln b").count() == 0
    text = "".join(tab.evaluate(TEXTS))
    assert "<script>window.hit = 1</script><img" in text
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]", text)
    assert "click after" in text
    assert "up half x" in text
    links = tab.evaluate("Array.from(document.querySelectorAll('.ln a.url'), a => [a.href, a.rel])")
    assert [link[0] for link in links] == ["https://example.org/a?b=", "https://x.example/"]
    assert {link[1] for link in links} == {"noopener noreferrer"}


def test_hostile_text_stays_text_when_it_comes_live(tab: Page, front: Front, people: World) -> None:
    made = running(people)
    see(tab, front, people, made.number)
    made.write("build", HOSTILE)
    wait_lines(tab, len(HOSTILE))
    assert tab.evaluate("window.hit") is None
    assert tab.locator("log-view script, log-view img").count() == 0
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]", "".join(tab.evaluate(TEXTS)))


def test_colours_become_the_palette_of_the_page(tab: Page, front: Front, people: World) -> None:
    written = {
        "\x1b[31mx": "f1",
        "\x1b[1;4;92mx": "a-b a-u f2",
        "\x1b[38;5;208mx": "f3",
        "\x1b[38;5;21mx": "f4",
        "\x1b[38;5;240mx": "f0",
        "\x1b[38;2;200;30;30mx": "f1",
        "\x1b[38:2:30:30:200mx": "f4",
        "\x1b[97;44mx": "k4",
        "\x1b[31m\x1b[39m\x1b[3mx": "a-i",
        "\x1b[31my\x1b[0;35mx": "f1 f5",
    }
    made = failed(people, list(written))
    see(tab, front, people, made.number)
    wait_lines(tab, len(written))
    found = tab.evaluate(
        "Array.from(document.querySelectorAll('.ln:not(.said) > span'),"
        " e => Array.from(e.querySelectorAll('span'), s => s.className).join(' '))"
    )
    assert found == list(written.values())


def test_a_rewritten_line_is_shown_once_and_a_long_one_is_cut(tab: Page, front: Front, people: World) -> None:
    made = failed(people, [" 10 %\r 60 %\r100 %\r", "y" * 5000])
    see(tab, front, people, made.number)
    texts = tab.evaluate(TEXTS)
    assert "100 %" in texts
    assert "y" * 2000 in texts
    tab.click(".ln .more")
    assert "y" * 5000 in tab.evaluate(TEXTS)


# ---- long logs -------------------------------------------------------------------------------------------------------


def test_a_hundred_thousand_lines_are_painted_in_part_and_all_within_reach(
    tab: Page, front: Front, people: World
) -> None:
    made = log_world.run(people)
    body = ["STEP 1/1: RUN make", *(f"\x1b[3{i % 8}m[{i}]\x1b[0m compiling part_{i}.c" for i in range(100_000))]
    log_world.fill(made, [[*body, "make: *** [all] Error 2"]], fail=True)
    see(tab, front, people, made.number)
    expect(tab.locator("[data-part=count]")).to_have_text(f"{made.next - 1:,} lines")
    wait_lines(tab, 1)
    assert tab.locator(".ln").count() < 2000
    for number, part in ((50_005, 50_000), (5, 0), (99_005, 99_000)):
        tab.evaluate(f"location.hash = 'L{number}'")
        row = tab.locator(f'.ln.sel[data-line="{number}"]')
        expect(row).to_be_in_viewport()
        assert f"compiling part_{part}.c" in row.inner_text()
        assert tab.locator(".ln").count() < 4000
    tab.keyboard.press("e")
    expect(tab.locator(f'.ln.now.e[data-line="{made.next - 2}"]')).to_be_in_viewport()


def test_of_a_log_too_long_to_draw_the_newest_lines_are_shown(
    tab: Page, front: Front, people: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_pages, "SHOWN_LINES", 1000)
    made = failed(people, ["STEP 1/2: FROM x"], ["STEP 2/2: RUN x", *(f"item {i}" for i in range(3000))])
    see(tab, front, people, made.number)
    left_out = made.next - 1 - 1000
    expect(tab.locator("log-view .log-tail").first).to_contain_text(f"The first {left_out:,} lines are not shown here")
    expect(tab.locator(f'.ln[data-line="{made.next - 1}"]')).to_be_in_viewport()
    tab.keyboard.press("l")
    tab.keyboard.press("Home")
    expect(tab.locator(f'.ln[data-line="{left_out + 1}"]')).to_be_in_viewport()
    tab.fill("[name=q]", "item 5$")
    tab.click("[data-act=regex]")
    expect(tab.locator("[data-part=lost]")).to_contain_text("is in the raw log only")


def test_scrolling_by_keyboard_reaches_both_ends(tab: Page, front: Front, people: World) -> None:
    made = failed(people, [f"line {i}" for i in range(5000)])
    see(tab, front, people, made.number)
    tab.keyboard.press("l")
    assert tab.evaluate("document.activeElement.getAttribute('aria-label')") == "Build log"
    tab.keyboard.press("Home")
    expect(tab.locator('.ln[data-line="4"]')).to_be_in_viewport()
    tab.keyboard.press("End")
    expect(tab.locator(f'.ln[data-line="{made.next - 1}"]')).to_be_in_viewport()
    tab.keyboard.press("PageUp")
    expect(tab.locator(f'.ln[data-line="{made.next - 1}"]')).not_to_be_in_viewport()


def test_wrapped_lines_are_reached_as_well(tab: Page, front: Front, people: World) -> None:
    made = failed(people, [f"{i} " + "word " * 200 for i in range(3000)])
    see(tab, front, people, made.number)
    tab.keyboard.press("w")
    tab.evaluate("location.hash = 'L1500'")
    expect(tab.locator('.ln.sel[data-line="1500"]')).to_be_in_viewport()
    assert tab.evaluate("(e => e.scrollWidth <= e.clientWidth)(document.querySelector('.log-scroll'))")


# ---- links, folds, errors --------------------------------------------------------------------------------------------

STEPS = (
    ["STEP 1/3: FROM python", "--> Using cache 81ab"],
    ["STEP 2/3: COPY . .", "##[group]Copy", "a", "b", "##[endgroup]"],
    ["STEP 3/3: RUN make", "WARNING: old", "ERROR: one", "ERROR: two"],
)


def test_a_link_to_lines_unfolds_scrolls_and_marks(tab: Page, front: Front, people: World) -> None:
    made = failed(people, *STEPS)
    see(tab, front, people, made.number, "?attempt=1#L8-L9")
    assert tab.evaluate("Array.from(document.querySelectorAll('.ln.sel'), e => e.textContent)") == ["a", "b"]
    expect(tab.locator('.ln.sel[data-line="8"]')).to_be_in_viewport()


def test_links_of_the_page_go_to_lines_and_stages_without_loading_it(tab: Page, front: Front, people: World) -> None:
    made = failed(people, *STEPS)
    see(tab, front, people, made.number, "/log")
    tab.evaluate(
        """() => {
            window.same = true;
            const link = Object.assign(document.createElement("a"), { href: "?attempt=1#L8", id: "cause", textContent: "Line 8" });
            document.querySelector(".log-rail").append(link);
        }"""
    )
    for _ in range(2):
        tab.click("#cause")
        expect(tab.locator('.ln.sel[data-line="8"]')).to_be_in_viewport()
        tab.evaluate("document.querySelector('.log-scroll').scrollTop = 0")
    tab.click(".log-rail a >> text=Fetch")
    expect(tab.locator("#stage-fetch .log-fold")).to_have_attribute("aria-expanded", "true")
    assert tab.evaluate("window.same")


def test_shift_click_makes_a_range_that_the_address_keeps(tab: Page, front: Front, people: World) -> None:
    made = failed(people, *STEPS)
    see(tab, front, people, made.number)
    tab.click("#L12 > a")
    assert tab.url.endswith(f"/builds/{made.number}?attempt=1#L12")
    tab.click("#L14 > a", modifiers=["Shift"])
    assert tab.url.endswith("?attempt=1#L12-L14")
    tab.reload()
    tab.wait_for_selector("log-view.ready")
    expect(tab.locator(".ln.sel")).to_have_count(3)


def test_folds_open_what_failed_and_nest(tab: Page, front: Front, people: World) -> None:
    made = failed(people, *STEPS)
    see(tab, front, people, made.number)
    bars = tab.evaluate(
        "Array.from(document.querySelectorAll('.log-fold'), e => [e.querySelector('b').textContent,"
        " e.getAttribute('aria-expanded'), e.querySelector('em').textContent.split(' · ').pop()])"
    )
    assert bars == [
        ["Fetch", "false", "2 lines"],
        ["Lint", "false", "1 line"],
        ["Build", "true", "12 lines"],
        ["STEP 1/3 · FROM python", "false", "2 lines"],
        ["STEP 2/3 · COPY . .", "false", "5 lines"],
        ["Copy", "false", "4 lines"],
        ["STEP 3/3 · RUN make", "true", "5 lines"],
    ]
    expect(tab.locator(".level1 .log-fold em").first).to_have_text("cached · 2 lines")
    tab.click("[data-act=folds]")
    assert tab.locator(".log-fold[aria-expanded=false]").count() == 0
    wait_lines(tab, made.next - 1)
    assert tab.evaluate(NUMBERS) == list(range(1, made.next))
    tab.click("[data-act=folds]")
    assert tab.locator(".log-fold[aria-expanded=true]").count() == 0


def test_errors_and_warnings_are_counted_and_visited(tab: Page, front: Front, people: World) -> None:
    made = failed(people, *STEPS)
    see(tab, front, people, made.number)
    expect(tab.locator("[data-act=errors]")).to_have_text("2 errors")
    expect(tab.locator("[data-act=warnings]")).to_have_text("1 warning")
    visited = []
    for key in ("e", "e", "e", "Shift+E"):
        tab.keyboard.press(key)
        tab.wait_for_timeout(120)
        visited.append(tab.evaluate("document.querySelector('.ln.now')?.textContent"))
    assert visited == ["ERROR: one", "ERROR: two", "ERROR: one", "ERROR: two"]
    tab.click("[data-act=warnings]")
    expect(tab.locator(".ln.now.w")).to_have_text("WARNING: old")


def test_a_stage_that_fails_silently_still_counts_as_an_error(tab: Page, front: Front, people: World) -> None:
    made = failed(people, ["all is well"])
    see(tab, front, people, made.number)
    expect(tab.locator("[data-act=errors]")).to_have_text("1 error")


def test_an_older_attempt_shows_its_own_log(tab: Page, front: Front, people: World) -> None:
    made = failed(people, ["from the first attempt"])
    rerun_build(people.actor("owner"), made.claim.build_id)
    second = log_world.claimed(made.number)
    second.begin("build")
    second.write("build", ["from the second attempt"])
    see(tab, front, people, made.number, "/log?attempt=1")
    assert "from the first attempt" in tab.evaluate(TEXTS)
    assert "from the second attempt" not in tab.evaluate(TEXTS)
    expect(tab.locator("[data-act=follow]")).to_be_hidden()
    tab.click(".log-rail a >> text=Attempt 2")
    wait_lines(tab, 1)
    assert tab.evaluate(TEXTS) == ["from the second attempt"]


# ---- search, copying, choices ----------------------------------------------------------------------------------------


def test_a_search_goes_through_the_whole_log_and_stays_in_the_address(tab: Page, front: Front, people: World) -> None:
    made = failed(people, [f"item {i}" for i in range(6000)])
    see(tab, front, people, made.number)
    tab.focus(".log-scroll")
    tab.keyboard.press("Control+f")
    tab.keyboard.type("ITEM 41")
    output = tab.locator(".log-find output")
    expect(output).to_have_text("1 of 111")
    expect(tab.locator(".ln.now")).to_have_text("item 41")
    tab.keyboard.press("Enter")
    tab.keyboard.press("Enter")
    expect(output).to_have_text("3 of 111")
    expect(tab.locator(".ln.now")).to_have_text("item 411")
    expect(tab.locator(".ln.now")).to_be_in_viewport()
    for _ in range(3):
        tab.keyboard.press("Shift+Enter")
    expect(output).to_have_text("111 of 111")
    assert "q=ITEM+41" in tab.url
    tab.click("[data-act=case]")
    expect(output).to_have_text("No match")
    assert "case=1" in tab.url
    tab.reload()
    tab.wait_for_selector("log-view.ready")
    expect(output).to_have_text("No match")
    tab.click("[data-act=case]")
    tab.click("[data-act=regex]")
    tab.fill("[name=q]", "^item 59[0-9]{2}$")
    expect(output).to_have_text("1 of 100")
    assert tab.evaluate("CSS.highlights.get('log-find').size") > 0


def test_a_bad_expression_is_answered_with_a_sentence(tab: Page, front: Front, people: World) -> None:
    made = failed(people, ["x"])
    see(tab, front, people, made.number)
    tab.click("[data-act=regex]")
    tab.fill("[name=q]", "(")
    expect(tab.locator("[data-part=wrong]")).to_contain_text("That is not a regular expression")
    expect(tab.locator("[name=q]")).to_have_attribute("aria-invalid", "true")
    tab.fill("[name=q]", "x")
    expect(tab.locator("[data-part=wrong]")).to_be_hidden()


def test_find_pressed_twice_is_the_browsers_own(tab: Page, front: Front, people: World) -> None:
    made = failed(people, ["x"])
    see(tab, front, people, made.number)
    tab.evaluate("addEventListener('keydown', e => e.key === 'f' && (window.kept = e.defaultPrevented))")
    tab.focus(".log-scroll")
    tab.keyboard.press("Control+f")
    assert tab.evaluate("window.kept") is True
    assert tab.evaluate("document.activeElement.name") == "q"
    tab.keyboard.press("Control+f")
    assert tab.evaluate("window.kept") is False


def test_copied_text_holds_lines_and_nothing_else(tab: Page, front: Front, people: World) -> None:
    made = failed(people, ["one \x1b[31mred\x1b[0m", "", "  indented\ttab", "z" * 2100])
    see(tab, front, people, made.number)
    tab.keyboard.press("z")
    text = tab.evaluate(
        """() => {
            const range = document.createRange();
            range.setStart(document.querySelector('#L4 > span').firstChild, 1);
            range.setEndAfter(document.querySelector('#L8'));
            getSelection().removeAllRanges();
            getSelection().addRange(range);
            let text = null;
            addEventListener('copy', e => (text = e.clipboardData.getData('text/plain')), { once: true });
            document.execCommand('copy');
            return text;
        }"""
    )
    assert text.split("\n") == ["ne red", "", "  indented\ttab", "z" * 2000, "Failed: The step ended with status 1."]


def test_times_and_wrapping_are_kept_and_nothing_else_is(tab: Page, front: Front, people: World) -> None:
    made = failed(people, ["x"])
    see(tab, front, people, made.number)
    shown = []
    for _ in range(4):
        tab.keyboard.press("z")
        shown.append(tab.evaluate("[document.querySelector('log-view').dataset.times,"
                                  " document.querySelector('.ln > i').dataset.t ?? '']"))  # fmt: skip
    assert [mode for mode, _ in shown] == ["elapsed", "local", "utc", "off"]
    assert re.fullmatch(r"[\d.]+ s", shown[0][1])
    local, utc = (int(text.split(":")[0]) for text in (shown[1][1], shown[2][1]))
    assert (local - utc) % 24 in {1, 2}, "the browser is in Berlin"
    tab.keyboard.press("z")
    tab.keyboard.press("w")
    tab.reload()
    tab.wait_for_selector("log-view.ready")
    assert tab.evaluate("document.querySelector('log-view').dataset.times") == "elapsed"
    assert tab.evaluate("document.querySelector('log-view').hasAttribute('data-wrap')")
    kept = tab.evaluate("Object.entries(localStorage).filter(([key]) => key.startsWith('log'))")
    assert kept == [["log-view", '{"times":"elapsed","wrap":true}']]


def test_single_letters_are_letters_while_typing_or_when_switched_off(tab: Page, front: Front, people: World) -> None:
    made = failed(people, ["x"])
    see(tab, front, people, made.number)
    tab.focus("[name=q]")
    tab.keyboard.type("wz")
    assert tab.evaluate("document.querySelector('[name=q]').value") == "wz"
    assert not tab.evaluate("document.querySelector('log-view').hasAttribute('data-wrap')")
    tab.focus(".log-scroll")
    tab.evaluate("document.documentElement.dataset.keys = 'off'")
    tab.keyboard.press("w")
    assert not tab.evaluate("document.querySelector('log-view').hasAttribute('data-wrap')")
    tab.evaluate("document.documentElement.dataset.keys = 'on'")
    tab.keyboard.press("w")
    assert tab.evaluate("document.querySelector('log-view').hasAttribute('data-wrap')")


@pytest.mark.parametrize("width", [1440, 768, 400])
def test_the_page_itself_never_scrolls_sideways(tab: Page, front: Front, people: World, width: int) -> None:
    made = failed(people, *STEPS, ["w" * 3000])
    tab.set_viewport_size({"width": width, "height": 800})
    for rest in ("", "/log"):
        see(tab, front, people, made.number, rest)
        assert tab.evaluate("document.documentElement.scrollWidth <= innerWidth"), rest


def test_the_script_keeps_its_budget(assets: None) -> None:
    made = json.loads((DIST / "manifest.json").read_text())
    assert len(gzip.compress((DIST / made["log.js"]).read_bytes(), 9)) < 12_000


# ---- colours ---------------------------------------------------------------------------------------------------------


def _tokens() -> dict[str, tuple[str, str]]:
    text = (Path(log_world.ROOT) / "assets/css/tokens.css").read_text()
    return {name: (light, dark) for name, light, dark in
            re.findall(r"--([\w-]+): light-dark\(#(\w{6}), #(\w{6})\)", text)}  # fmt: skip


def _luminance(colour: str) -> float:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (0, 2, 4)]
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _contrast(one: str, other: str) -> float:
    high, low = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
def test_every_colour_of_a_log_can_be_read_on_every_ground_of_a_line(theme: int) -> None:
    tokens = _tokens()
    words = ["ink", "dim", "bad", "warn", "run", *(f"a{i}" for i in range(8))]
    grounds = ["surface", "sunk", "bad-bg", "warn-bg", "accent-bg"]
    low = {
        (word, ground): round(_contrast(tokens[word][theme], tokens[ground][theme]), 2)
        for word in words for ground in grounds
        if _contrast(tokens[word][theme], tokens[ground][theme]) < 4.5
    }  # fmt: skip
    assert not low
