"""The scripts of every page, in Chromium against the real processes: keys, palette, dialogs, forms, copying, looks."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import BrowserContext, Dialog, Page, Request, expect

from imagefactory.domain.builds.services.submit import submit_build
from tests.conftest import INLINE
from tests.stage.servers import Stage

pytestmark = [pytest.mark.real, pytest.mark.django_db(transaction=True)]

Enter = Callable[..., BrowserContext]
COUNT = "document.getElementById('create').addEventListener('click', () => { window.made = (window.made ?? 0) + 1; })"


def focused(page: Page) -> str:
    return str(page.evaluate("document.activeElement.id || document.activeElement.textContent.trim()"))


def test_the_first_answer_carries_the_chosen_looks(stage: Stage, tab: Page) -> None:
    expect(tab.locator("html")).to_have_attribute("data-theme", "system")
    with tab.expect_response("**/appearance") as answered:
        tab.get_by_label("Dark").check()
    assert answered.value.status == 204
    expect(tab.locator("html")).to_have_attribute("data-theme", "dark")
    assert tab.evaluate("getComputedStyle(document.documentElement).colorScheme") == "dark"
    body = tab.context.request.get(stage.parts).text()
    assert re.search(r'<html[^>]* data-theme="dark"', body)
    expect(tab.locator("#announce")).to_have_text("Saved")


def test_the_looks_are_kept_without_scripts_too(stage: Stage, sign_in: Enter) -> None:
    page = sign_in(java_script_enabled=False).new_page()
    page.goto(stage.parts)
    page.get_by_label("Light").check()
    page.get_by_role("button", name="Keep").click()
    expect(page).to_have_url(stage.parts)
    expect(page.locator("html")).to_have_attribute("data-theme", "light")


def test_the_palette_finds_and_opens_a_build_by_keyboard(stage: Stage, tab: Page) -> None:
    build = submit_build(stage.world.actor("owner"), stage.world.project.id, {**INLINE, "name": "amber lantern"})
    tab.keyboard.press("Control+k")
    field = tab.get_by_role("combobox", name="Search pages")
    expect(field).to_be_focused()
    expect(tab.get_by_role("group", name="Pages").get_by_role("option", name="Builds")).to_be_visible()
    field.press_sequentially("lantern")
    option = tab.locator("#palette").get_by_role("option", name=re.compile(f"#{build.number} amber lantern"))
    expect(option).to_have_attribute("aria-selected", "true")
    expect(tab.locator("#palette").get_by_role("option")).to_have_count(1)
    chosen = field.get_attribute("aria-activedescendant")
    assert chosen == option.get_attribute("id")
    tab.keyboard.press("Enter")
    tab.wait_for_url(f"**/t/{stage.world.tenant_slug}/p/{stage.world.project.slug}/builds/{build.number}")


def test_the_palette_offers_the_pages_actions_walks_with_arrows_and_gives_the_focus_back(tab: Page) -> None:
    tab.locator("#create").focus()
    tab.keyboard.press("Control+k")
    group = tab.get_by_role("group", name="On this page")
    expect(group.get_by_role("option", name=re.compile("Create nothing"))).to_be_visible()
    expect(tab.get_by_role("group", name="Pages")).to_be_visible()
    options = tab.locator("#palette").get_by_role("option")
    expect(options.nth(0)).to_have_attribute("aria-selected", "true")
    tab.keyboard.press("ArrowDown")
    expect(options.nth(1)).to_have_attribute("aria-selected", "true")
    tab.keyboard.press("ArrowUp")
    tab.keyboard.press("ArrowUp")
    expect(options.last).to_have_attribute("aria-selected", "true")
    tab.keyboard.press("Tab")
    expect(tab.get_by_role("combobox", name="Search pages")).to_be_focused()
    tab.keyboard.press("Escape")
    expect(tab.locator("#palette")).to_be_hidden()
    assert focused(tab) == "create"


def test_enter_waits_for_the_answer_to_what_was_typed(stage: Stage, tab: Page) -> None:
    build = submit_build(stage.world.actor("owner"), stage.world.project.id, {**INLINE, "name": "amber lantern"})
    tab.keyboard.press("Control+k")
    expect(tab.get_by_role("group", name="Pages")).to_be_visible()
    tab.keyboard.type("lantern")
    tab.keyboard.press("Enter")
    tab.wait_for_url(f"**/builds/{build.number}")


def test_an_action_of_the_palette_clicks_the_pages_own_control(tab: Page) -> None:
    tab.evaluate("document.getElementById('create').addEventListener('click', () => { document.title = 'clicked'; })")
    tab.get_by_role("button", name="Search").click()
    tab.get_by_role("combobox", name="Search pages").press_sequentially("create noth")
    expect(tab.locator("#palette").get_by_role("option")).to_have_count(1)
    tab.keyboard.press("Enter")
    expect(tab).to_have_title("clicked")


def test_single_letters_act_and_are_inert_while_typing_and_when_off(tab: Page) -> None:
    tab.evaluate(COUNT)
    tab.keyboard.press("c")
    assert tab.evaluate("window.made") == 1
    for modified in ("Control+c", "Alt+c"):
        tab.keyboard.press(modified)
    tab.get_by_label("Name").focus()
    tab.keyboard.press("c")
    assert tab.evaluate("window.made") == 1
    expect(tab.get_by_label("Name")).to_have_value(re.compile("c"))
    tab.get_by_label("Name").fill("shop")
    tab.locator("h1").click()
    tab.keyboard.press("?")
    keys = tab.get_by_role("dialog", name="Keys")
    expect(keys.get_by_text("Create nothing")).to_be_visible()
    expect(keys.get_by_text("Follow the log")).to_be_hidden()
    tab.keyboard.press("c")
    keys.get_by_role("button", name="Turn single letters off").click()
    expect(tab.locator("html")).to_have_attribute("data-keys", "off")
    tab.keyboard.press("Escape")
    tab.keyboard.press("c")
    tab.keyboard.press("?")
    expect(keys).to_be_hidden()
    assert tab.evaluate("window.made") == 1
    tab.keyboard.press("Control+k")
    expect(tab.get_by_role("combobox", name="Search pages")).to_be_focused()
    tab.keyboard.press("Escape")
    tab.get_by_role("button", name="Search").click()
    tab.keyboard.press("Escape")
    tab.evaluate("document.documentElement.dataset.keys = 'on'")
    tab.keyboard.press("c")
    assert tab.evaluate("window.made") == 2


def test_single_letters_are_switched_off_and_on_again_in_the_list_of_keys(tab: Page) -> None:
    tab.keyboard.press("?")
    keys = tab.get_by_role("dialog", name="Keys")
    for word, value in (("off", "off"), ("on", "on"), ("off", "off")):
        keys.get_by_role("button", name=f"Turn single letters {word}").click()
        expect(tab.locator("html")).to_have_attribute("data-keys", value)
        expect(keys.locator("[data-announcer]")).to_have_text("Saved")


def test_letters_lead_to_pages_filter_and_tenants(tab: Page) -> None:
    tab.keyboard.press("/")
    expect(tab.locator("[data-filter]")).to_be_focused()
    tab.locator("h1").click()
    tab.keyboard.press("t")
    assert focused(tab) == "one"
    tab.keyboard.press("ArrowDown")
    assert focused(tab) == "Two"
    tab.keyboard.press("Escape")
    assert focused(tab) == "Tenant"
    expect(tab.locator("#one")).to_be_hidden()
    tab.keyboard.press("g")
    tab.keyboard.press("b")
    tab.wait_for_url("**/builds")


def test_rows_are_walked_selected_and_have_a_menu(tab: Page) -> None:
    tab.keyboard.press("j")
    assert focused(tab) == "Row 1"
    tab.keyboard.press("x")
    expect(tab.get_by_label("Select row 1")).to_be_checked()
    tab.locator("h1").click()
    tab.keyboard.press("j")
    tab.keyboard.press("j")
    tab.keyboard.press("j")
    assert focused(tab) == "Row 2"
    tab.keyboard.press(".")
    assert focused(tab) == "row-2-first"
    tab.keyboard.press("Escape")
    tab.keyboard.press("k")
    assert focused(tab) == "Row 1"
    tab.keyboard.press("Enter")
    expect(tab).to_have_url(re.compile("#row-1$"))
    tab.get_by_text("Row 2", exact=True).click(button="right")
    assert focused(tab) == "row-2-first"


def test_copying_says_so_on_the_button_and_aloud(stage: Stage, sign_in: Enter) -> None:
    context = sign_in(permissions=["clipboard-read", "clipboard-write"])
    page = context.new_page()
    page.goto(stage.parts)
    button = page.get_by_role("button", name="Copy digest")
    button.focus()
    page.keyboard.press("Enter")
    expect(button.get_by_text("Copied")).to_be_visible()
    expect(page.locator("#announce")).to_have_text("Copied")
    assert page.evaluate("navigator.clipboard.readText()") == "sha256:1f0e9c2d"
    expect(button.get_by_text("Copied")).to_have_count(0)
    page.locator("h1").click()
    page.keyboard.press("y")
    expect(page.locator("#toasts")).to_have_text("Link copied")
    assert page.evaluate("navigator.clipboard.readText()") == stage.parts


def test_copying_works_without_the_clipboard_interface(stage: Stage, sign_in: Enter) -> None:
    context = sign_in(permissions=["clipboard-read"])
    context.add_init_script(
        "navigator.clipboard && Object.defineProperty(navigator.clipboard, 'writeText', { value: () => Promise.reject() })"
    )
    page = context.new_page()
    page.goto(stage.parts)
    button = page.get_by_role("button", name="Copy digest")
    button.click()
    expect(button.get_by_text("Copied")).to_be_visible()
    expect(button).to_be_focused()
    assert page.evaluate("navigator.clipboard.readText()") == "sha256:1f0e9c2d"


def test_times_are_relative_tick_and_say_the_whole_time_on_focus(tab: Page) -> None:
    ticking = tab.locator("#ticking")
    expect(ticking).to_have_text(re.compile(r"^\d+ h \d\d m$"))
    time = tab.locator("time[data-relative]")
    time.focus()
    expect(time).to_have_attribute("title", re.compile(r"2 Jan 2020.*03:04:05 UTC$"))


def test_a_dialog_traps_the_focus_and_gives_it_back(tab: Page) -> None:
    tab.locator("#remove").focus()
    tab.keyboard.press("Enter")
    dialog = tab.get_by_role("dialog", name="Delete project shop")
    expect(dialog).to_be_visible()
    expect(dialog.get_by_label("Name of the project")).to_be_focused()
    expect(tab).to_have_url(re.compile(r"/stage/[\w-]+$"))
    for _ in range(7):
        tab.keyboard.press("Tab")
        assert tab.evaluate("document.getElementById('dialog').contains(document.activeElement)")
    for _ in range(4):
        tab.keyboard.press("Shift+Tab")
        assert tab.evaluate("document.getElementById('dialog').contains(document.activeElement)")
    tab.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    assert focused(tab) == "remove"
    tab.keyboard.press("Enter")
    dialog.get_by_role("link", name="Keep it").click()
    expect(dialog).to_be_hidden()
    assert focused(tab) == "remove"


def test_a_dialog_opened_from_a_menu_gives_the_focus_to_the_menu(tab: Page) -> None:
    tab.get_by_text("Row 2", exact=True).focus()
    tab.keyboard.press(".")
    tab.keyboard.press("ArrowDown")
    tab.keyboard.press("Enter")
    expect(tab.get_by_role("dialog", name="Delete project shop")).to_be_visible()
    tab.keyboard.press("Escape")
    expect(tab.get_by_role("dialog", name="Delete project shop")).to_be_hidden()
    expect(tab.locator("[data-row] summary")).to_be_focused()


def test_a_dialogs_form_shows_what_is_wrong_and_then_leads_on_with_its_message(tab: Page) -> None:
    tab.locator("#remove").click()
    dialog = tab.get_by_role("dialog")
    dialog.get_by_label("Name of the project").fill("ship")
    dialog.get_by_role("button", name="Delete project").click()
    expect(dialog.get_by_role("alert")).to_be_focused()
    expect(dialog.get_by_role("alert")).to_contain_text("Type the name")
    dialog.get_by_label("Name of the project").fill("shop")
    dialog.get_by_role("button", name="Delete project").click()
    expect(tab.locator(".flashes")).to_have_text("Deleted by button.")


def test_a_dialog_that_gets_no_answer_keeps_what_was_typed(tab: Page) -> None:
    tab.locator("#remove").click()
    dialog = tab.get_by_role("dialog")
    dialog.get_by_label("Name of the project").fill("shop")
    tab.route("**/delete", lambda route: route.abort())
    dialog.get_by_role("button", name="Delete project").click()
    expect(dialog.get_by_role("alert")).to_contain_text("does not answer")
    expect(dialog.get_by_label("Name of the project")).to_have_value("shop")
    tab.unroute("**/delete")
    dialog.get_by_role("button", name="Delete project").click()
    expect(tab.locator(".flashes")).to_have_text("Deleted by button.")


def test_the_page_behind_a_dialog_works_without_scripts(stage: Stage, sign_in: Enter) -> None:
    page = sign_in(java_script_enabled=False).new_page()
    page.goto(stage.parts)
    page.locator("#remove").click()
    expect(page).to_have_url(f"{stage.parts}/delete")
    page.get_by_label("Name of the project").fill("shop")
    page.get_by_role("button", name="Delete project").click()
    expect(page.locator(".flashes")).to_have_text("Deleted by button.")


def test_unsaved_changes_are_asked_about_before_leaving(stage: Stage, tab: Page) -> None:
    name, leave = tab.get_by_label("Name"), tab.get_by_role("dialog", name="Leave without saving?")
    name.fill("another")
    tab.locator("#again").click()
    expect(leave).to_be_visible()
    expect(leave.get_by_role("button", name="Stay on this page")).to_be_focused()
    tab.keyboard.press("Enter")
    expect(leave).to_be_hidden()
    assert (focused(tab), tab.url) == ("again", stage.parts)
    asked: list[str] = []

    def refuse(dialog: Dialog) -> None:
        asked.append(dialog.type)
        dialog.dismiss()

    tab.once("dialog", refuse)
    tab.evaluate("location.reload()")
    tab.wait_for_timeout(300)
    assert asked == ["beforeunload"]
    expect(name).to_have_value("another")
    tab.locator("#again").click()
    leave.get_by_role("link", name="Leave").click()
    tab.wait_for_url("**/builds")


def test_an_unchanged_form_and_a_sent_one_ask_nothing(tab: Page) -> None:
    tab.get_by_label("Name").fill("another")
    tab.get_by_label("Name").press("Control+Enter")
    expect(tab.locator(".flashes")).to_have_text("It was saved.")
    tab.get_by_label("Name").fill("other")
    tab.get_by_label("Name").fill("shop")
    tab.locator("#again").click()
    tab.wait_for_url("**/builds")


def test_a_second_click_on_a_sent_form_does_nothing(tab: Page) -> None:
    sent: list[Request] = []
    tab.on("request", lambda request: sent.append(request) if request.method == "POST" else None)
    busy = tab.evaluate(
        """() => {
          const save = document.getElementById("save"), form = document.getElementById("form");
          save.click();
          save.click();
          form.requestSubmit(save);
          return save.getAttribute("aria-busy");
        }"""
    )
    assert busy == "true"
    expect(tab.locator(".flashes")).to_have_text("It was saved.")
    assert ["save=1" in (request.post_data or "") for request in sent] == [True]
    expect(tab.locator("#save")).not_to_have_attribute("aria-busy", "true")


def test_a_page_from_the_back_forward_cache_is_as_good_as_new(stage: Stage, tab: Page) -> None:
    tab.evaluate(COUNT)
    tab.evaluate(
        """(next) => {
          const form = document.getElementById("form");
          form.action = "/appearance";
          form.append(Object.assign(document.createElement("input"), { type: "hidden", name: "next", value: next }));
        }""",
        f"/stage/{stage.world.tenant_slug}/builds",
    )
    tab.locator("#save").click()
    tab.wait_for_url("**/builds")
    tab.go_back(wait_until="commit")
    expect(tab.locator("#save")).not_to_have_attribute("aria-busy", "true")
    tab.locator("h1").click()
    tab.keyboard.press("c")
    assert tab.evaluate("window.made") == 1
    tab.locator("#save").click()
    tab.wait_for_url("**/builds", wait_until="commit")
