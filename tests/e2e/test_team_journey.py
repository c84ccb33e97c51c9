"""A team's path in a real browser on a whole factory: invited by mail, joined, built, refused, removed, and out at once."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.e2e.test_newcomer import DOCKERFILE, SECONDS, archive
from tests.mail_server import Letterbox, mail_server
from tests.runtime.stand import Factory

pytestmark = pytest.mark.real
SLOW = DOCKERFILE.replace('"echo", "hello from the build"', '"sleep", "600"')
# A page that was open since before a role changed still has the button; this presses it.
CANCEL = """address => {
  const form = document.createElement("form");
  form.method = "post"; form.action = address;
  form.innerHTML = `<input name="csrfmiddlewaretoken" value="${document.querySelector('meta[name=csrf]').content}">`;
  document.body.append(form); form.submit();
}"""


@pytest.fixture(scope="module")
def box() -> Iterator[tuple[Letterbox, int]]:
    with mail_server() as found:
        yield found


@pytest.fixture(scope="module")
def factory(box: tuple[Letterbox, int]) -> Iterator[Factory]:
    # Confirming an address after signing up is another journey, with tests of its own.
    mail = {"HOST": "127.0.0.1", "PORT": str(box[1]), "SECURITY": "none"}
    settings = {f"IMAGEFACTORY_MAIL_{name}": value for name, value in mail.items()}
    made = Factory(None, IMAGEFACTORY_CONFIRM_EMAIL="off", **settings)
    said = made("up", IMAGEFACTORY_BUILD_NETWORK="none")
    assert said.returncode == 0, said.stdout + said.stderr
    yield made
    said = made("down")
    left = made.left()
    shutil.rmtree(made.data)
    assert said.returncode == 0, said.stderr
    assert left == []


@pytest.fixture(scope="module")
def browser(factory: Factory) -> Iterator[Browser]:  # after the mail server: Playwright keeps this thread in a loop
    with sync_playwright() as playwright:
        made = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
        yield made
        made.close()


def person(browser: Browser) -> Page:
    """Return a page in a browser context of its own: another person at another machine."""
    page = browser.new_context(viewport={"width": 1440, "height": 900}).new_page()
    page.set_default_timeout(SECONDS)
    page.on("dialog", lambda shown: shown.accept())
    return page


def found_team(tab: Page, url: str, source: Path) -> None:
    tab.goto(f"{url}/signup")
    tab.get_by_label("Your name").fill("Mira Lund")
    tab.get_by_label("E-mail").fill("mira@example.com")
    tab.get_by_label("Password").fill("copper-kettle-9")
    tab.get_by_label("Team").fill("Acme")
    tab.get_by_role("button", name="Create account").click()
    tab.get_by_role("link", name="New project").click()
    tab.get_by_label("Name", exact=True).fill("Hello")
    tab.keyboard.press("Control+Enter")
    tab.get_by_role("radio", name=re.compile("^Archive")).check()
    tab.get_by_label("Upload an archive").set_input_files(source)
    tab.get_by_role("button", name="Save, then new build").click()
    expect(tab.get_by_role("heading", name="New build of Hello")).to_be_visible()


def letter(box: Letterbox, to: str) -> str:
    """Wait for the newest letter to someone, and return its text."""
    for _ in range(200):
        if mine := [m for m in box.mails if m["To"].addresses[0].addr_spec == to]:
            body = mine[-1].get_body(("plain",))
            assert body is not None
            return str(body.get_content())
        box.took.wait(0.5)
        box.took.clear()
    raise AssertionError(f"no letter to {to}")


def send_invitation(owner: Page, email: str) -> None:
    owner.get_by_role("navigation", name="Team").get_by_role("link", name="People").click()
    owner.get_by_role("link", name="Invite people").click()
    owner.get_by_label("E-mail addresses").fill(email)
    owner.get_by_role("radio", name=re.compile("^Member")).check()
    owner.get_by_label("Message").fill("Welcome to the release crew")
    owner.get_by_role("button", name="Send invitations").click()
    expect(owner.get_by_role("table")).to_contain_text(email)
    assert "/invite/" not in owner.content()  # with mail, the link is for the letterbox alone


def join(member: Page, link: str, email: str) -> None:
    member.goto(link)
    expect(member.get_by_role("heading", name="Join Acme")).to_be_visible()
    expect(member.get_by_text(f"Mira Lund invites {email}")).to_be_visible()
    member.get_by_label("Your name").fill("Nora Berg")
    member.get_by_label("Password").fill("silver-spoon-8")
    member.get_by_role("button", name="Create account and join").click()
    expect(member.get_by_text("Welcome to Acme.")).to_be_visible()


def make_key(member: Page, url: str) -> str:
    member.goto(f"{url}/me/keys?tenant=acme")
    member.get_by_label("Name").fill("laptop")
    member.get_by_role("button", name="Create key").click()
    return member.get_by_text(re.compile(r"^ifk_\w+")).first.text_content() or ""


def build_and_be_refused_to_cancel(member: Page, url: str) -> str:
    """Start a build, see it run, and see why it may not be cancelled; return its address."""
    member.goto(f"{url}/t/acme/p/hello/builds/new")
    member.get_by_role("button", name="Start build").click()
    expect(member.locator(".stages")).to_contain_text(re.compile("Build.*Running"), timeout=SECONDS)
    expect(member.locator("log-view")).to_contain_text("sleep", timeout=SECONDS)
    build = member.url
    expect(member.get_by_role("button", name="Cancel build")).to_have_count(0)
    member.evaluate(CANCEL, f"{build}/cancel")
    expect(member.get_by_text("Members may start builds and may not cancel them")).to_be_visible()
    expect(member.get_by_role("button", name="Ask for access")).to_be_visible()
    expect(member.get_by_role("link", name="Mira Lund")).to_be_visible()
    member.goto(build)
    expect(member.locator(".facts")).to_contain_text("Running")
    return build


def remove(owner: Page, url: str) -> None:
    owner.goto(f"{url}/t/acme/people")
    owner.get_by_role("link", name="Nora Berg").click()
    owner.get_by_role("link", name="Remove Nora Berg…").click()
    dialog = owner.get_by_role("dialog")
    expect(dialog).to_contain_text("1 API key stops working")
    expect(dialog).to_contain_text("1 build started by this person runs now")
    dialog.get_by_label("Reason").fill("The project is over")
    dialog.get_by_role("button", name="Remove Nora Berg").click()
    expect(owner.get_by_text("Nora Berg is removed")).to_be_visible()


def test_invited_joined_built_refused_removed_and_out(
    browser: Browser, factory: Factory, box: tuple[Letterbox, int], tmp_path: Path
) -> None:
    url, email = f"http://localhost:{factory.port}", "Nora@example.org"
    owner, member, other = person(browser), person(browser), person(browser)
    found_team(owner, url, archive(tmp_path, SLOW))
    send_invitation(owner, email)

    text = letter(box[0], email)
    assert "Welcome to the release crew" in text
    link = re.search(rf"{url}/invite/\S+", text)
    assert link is not None
    join(member, link[0], email)
    assert "accepted your invitation" in letter(box[0], "mira@example.com")
    other.goto(link[0])
    expect(other.get_by_text("works only once")).to_be_visible()

    headers = {"Authorization": f"Bearer {make_key(member, url)}"}
    assert httpx.get(f"{url}/api/v1/builds", headers=headers).status_code == 200
    build = build_and_be_refused_to_cancel(member, url)

    remove(owner, url)
    assert httpx.get(f"{url}/api/v1/builds", headers=headers).status_code == 401
    # Nothing is reloaded: the open page's stream says that it is over.
    expect(member.locator("#live-state")).to_contain_text("You may not see this any more", timeout=SECONDS)
    member.reload()
    expect(member.get_by_text("Error 404")).to_be_visible()
    assert "The project is over" in letter(box[0], email)

    # The build was the team's: it went on, and the owner may stop it.
    owner.goto(build)
    expect(owner.locator(".facts")).to_contain_text("Running")
    owner.get_by_role("button", name="Cancel build").click()
    expect(owner.locator(".facts")).to_contain_text("Cancelled", timeout=SECONDS)
    for page in (owner, member, other):
        page.context.close()
