"""Every page in a real browser, both themes, wide and narrow: nothing to complain about for axe, no sideways scroll."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.browser.log_world import Front, cookie
from tests.conftest import World
from tests.pages.test_pages import PAGES, Scene

AXE = (Path(__file__).resolve().parents[2] / "assets/node_modules/axe-core/axe.min.js").read_text()
NO_PAGES = {
    "team-export",  # a download
    "team-logo",
    "sso-metadata",  # XML for the provider
    "notification",  # leads on to what it is about
    "notifications-badge",
    "activity-export",
    "admin-audit-export",
    "palette",
    "build-log-raw",
    "build-log-download",
    "build-log-lines",
    "build-log-outline",
    "build-log-search",
}
SIGNED_OUT = ("/login", "/signup", "/help", "/no/such/page")
# axe says serious or critical; its rules for WCAG 2.2 A and AA.
_RUN = """async () => {
  const found = await axe.run(document, {runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]});
  return found.violations.filter(v => ["serious", "critical"].includes(v.impact))
    .map(v => v.id + ": " + v.nodes.slice(0, 3).map(n => n.html.slice(0, 160)).join(" | "));
}"""

_WIDEST = """() => [...document.querySelectorAll("main *")].filter(e => e.getBoundingClientRect().right > innerWidth + 1)
  .map(e => e.outerHTML.slice(0, 120)).slice(0, 4).join(" | ")"""


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [1440, 400])
def test_pages_are_accessible_and_fit(chromium: Browser, front: Front, people: World, theme: str, width: int) -> None:
    scene = Scene(people)
    context = chromium.new_context(viewport={"width": width, "height": 900}, bypass_csp=True)
    context.add_cookies([cookie(front, people)])  # type: ignore[list-item]
    context.add_cookies([{"name": "theme", "value": theme, "url": front.url}])
    addresses = [scene.address(name) for name in PAGES if name not in NO_PAGES | {"home", "login", "signup"}]
    wrong = _look(context.new_page(), front, addresses)
    context.clear_cookies(name="sessionid")
    context.clear_cookies(name="session")
    wrong |= _look(context.new_page(), front, SIGNED_OUT)
    context.close()
    assert wrong == {}


def _look(page: object, front: Front, addresses: object) -> dict[str, list[str]]:
    wrong: dict[str, list[str]] = {}
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))  # type: ignore[attr-defined]
    for address in addresses:  # type: ignore[attr-defined]
        page.goto(front.url + address)  # type: ignore[attr-defined]
        page.evaluate(AXE)  # type: ignore[attr-defined]
        found = page.evaluate(_RUN)  # type: ignore[attr-defined]
        wide = page.evaluate("document.documentElement.scrollWidth - innerWidth")  # type: ignore[attr-defined]
        found += [f"scrolls {wide} px sideways: {page.evaluate(_WIDEST)}"] if wide > 0 else []  # type: ignore[attr-defined]
        found += errors
        errors.clear()
        if found:
            wrong[address] = found
    return wrong
