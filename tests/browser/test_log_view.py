"""The log viewer in a real browser: hostile text, long logs, links, folds, search, copying, choices."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from imagefactory.domain.builds.services.submit import rerun_build
from imagefactory.entry.web import log_pages
from tests.browser import log_world
from tests.browser.log_page import NUMBERS, TEXTS, failed, running, see, wait_lines
from tests.browser.log_world import Front
from tests.conftest import World

pytestmark = [pytest.mark.real, pytest.mark.django_db(transaction=True)]


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
