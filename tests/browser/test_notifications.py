"""The badge of an open page follows what its person is told and reads."""

from __future__ import annotations

from playwright.sync_api import BrowserContext, Page, expect

from imagefactory.domain.notifications.services import Message, Recipient, notify
from imagefactory.kernel.ids import uuid7
from tests.browser.log_world import Front
from tests.conftest import World


def tell(people: World, role: str = "owner") -> None:
    who = people.actor(role)
    notify(
        event_id=uuid7(), kind="builds.failed", tenant_id=people.tenant_id,
        to=[Recipient(who.email, who.name, who.user_id)],
        message=Message("Build #7 of Checkout API failed", ["Why."], ("Open", f"/t/{people.tenant_slug}/builds")),
    )  # fmt: skip


def test_the_badge_counts_up_while_a_page_is_open_and_down_when_another_tab_reads(
    front: Front, people: World, context: BrowserContext, tab: Page
) -> None:
    for address in (f"/t/{people.tenant_slug}/builds", f"/t/{people.tenant_slug}/p/{people.project.slug}/settings"):
        # One page with a stream of its own, and one with none but the badge's.
        with tab.expect_response(lambda answer: "/live?" in answer.url):
            tab.goto(front.url + address)
        bell = tab.locator(".bell a")
        expect(bell).to_have_accessible_name("Notifications")
        tell(people)
        tell(people, "member")
        expect(bell).to_have_accessible_name("Notifications, 1 unread")
        other = context.new_page()
        other.goto(f"{front.url}/notifications?tenant={people.tenant_slug}")
        other.get_by_role("button", name="Mark all as read").click()
        expect(other.locator(".bell a")).to_have_accessible_name("Notifications")
        expect(bell).to_have_accessible_name("Notifications")
        other.close()


def test_an_open_list_shows_what_comes(front: Front, people: World, tab: Page) -> None:
    tab.goto(f"{front.url}/notifications")
    expect(tab.get_by_role("heading", name="No notifications")).to_be_visible()
    tell(people)
    link = tab.get_by_role("link", name="Build #7 of Checkout API failed")
    expect(link).to_be_visible()
    link.click()
    expect(tab.get_by_role("heading", name="Builds", exact=True)).to_be_visible()
    expect(tab.locator(".bell a")).to_have_accessible_name("Notifications")
