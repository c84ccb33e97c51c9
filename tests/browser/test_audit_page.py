"""The activity page in a browser: lines open, filters work without scripts' help, an export comes down."""

from __future__ import annotations

import os

from playwright.sync_api import Browser, Page

from imagefactory.domain.identity.models import User
from imagefactory.domain.projects.services import create_project, update_project
from imagefactory.entry.jobs.outbox import deliver_batch
from tests.browser.log_world import Front, cookie
from tests.browser.test_looks import _RUN, AXE
from tests.conftest import INLINE, World


def _fill(people: World) -> None:
    from imagefactory.domain.builds.services.submit import submit_build

    owner = people.actor("owner")
    other = create_project(owner, name="Payments")
    update_project(owner, other.id, name="Payments and refunds", description="What money does")
    build = submit_build(owner, people.project.id, INLINE)
    people.api("viewer")("post", f"/builds/{build.id}/cancel")
    people.api("member")("post", f"/builds/{build.id}/cancel")
    while deliver_batch():
        pass


def test_a_line_opens_and_shows_what_changed(tab: Page, front: Front, people: World) -> None:
    _fill(people)
    tab.goto(f"{front.url}/t/{people.tenant_slug}/activity")
    line = tab.locator("tr", has_text="Changed a project's settings").first
    line.locator("summary").click()
    assert "Payments and refunds" in line.locator("ins").first.inner_text()
    assert line.locator("del").first.inner_text() == "Payments"
    tab.get_by_role("link", name="Refused").click()
    assert tab.locator("tbody tr[data-row]").count() == 2
    assert "may not cancel" in tab.locator("tbody tr[data-row] summary").first.inner_text()
    tab.locator("details.menu summary", has_text="Export").click()
    with tab.expect_download() as download:
        tab.get_by_role("link", name="JSONL").click()
    assert len(download.value.path().read_text().splitlines()) == 2


def test_new_entries_are_told_above_the_list(tab: Page, front: Front, people: World) -> None:
    _fill(people)
    tab.goto(f"{front.url}/t/{people.tenant_slug}/activity")
    tab.wait_for_timeout(500)  # the stream opens after the page
    create_project(people.actor("owner"), name="Newest")
    while deliver_batch():
        pass
    tab.get_by_text("1 new event – show").click(timeout=10_000)
    tab.locator("tbody tr[data-row]", has_text="newest").wait_for()


def test_both_pages_are_accessible_with_open_lines(chromium: Browser, front: Front, people: World) -> None:
    _fill(people)
    User.objects.filter(id=people.users["owner"]).update(is_system_admin=True)
    shots = os.environ.get("AUDIT_SHOTS", "")
    wrong = []
    for theme in ("light", "dark"):
        for width in (1440, 400, 360):
            context = chromium.new_context(viewport={"width": width, "height": 900}, bypass_csp=True)
            context.add_cookies([cookie(front, people)])  # type: ignore[list-item]
            context.add_cookies([{"name": "theme", "value": theme, "url": front.url}])
            page = context.new_page()
            for name, address in (
                ("activity", f"/t/{people.tenant_slug}/activity?q=since:2020-01-01"),
                ("admin", "/admin/audit"),
            ):
                page.goto(front.url + address)
                page.locator("tr", has_text="Changed a project's settings").first.locator("summary").click()
                if shots:
                    page.screenshot(path=f"{shots}/{name}-{theme}-{width}.png", full_page=False)
                page.evaluate(AXE)
                wrong += [f"{name} {theme} {width}: {f}" for f in page.evaluate(_RUN)]
                if (wide := page.evaluate("document.documentElement.scrollWidth - innerWidth")) > 0:
                    wrong.append(f"{name} {width} scrolls {wide} px sideways")
            context.close()
    assert wrong == []
