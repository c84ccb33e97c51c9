"""The page with the log, for its tests: open it, wait for it, and what it shows."""

from __future__ import annotations

import time
from typing import Final

from playwright.sync_api import Page

from tests.browser import log_world
from tests.browser.log_world import Front, Run
from tests.conftest import World

TEXTS: Final = "Array.from(document.querySelectorAll('log-view .ln > span'), e => e.textContent)"
NUMBERS: Final = "Array.from(document.querySelectorAll('log-view .ln[data-line]'), e => +e.dataset.line)"
AT_END: Final = "(e => e.scrollHeight - e.scrollTop - e.clientHeight < 24)(document.querySelector('.log-scroll'))"


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
