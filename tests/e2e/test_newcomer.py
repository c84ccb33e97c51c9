"""The newcomer's path in a real browser on a whole factory: from signing up to pulling the image that was built."""

from __future__ import annotations

import io
import json
import re
import shutil
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.runtime.stand import Factory

pytestmark = pytest.mark.real
BUSYBOX = shutil.which("busybox") or "/usr/bin/busybox"
DOCKERFILE = """FROM scratch
COPY busybox /bin/busybox
RUN ["/bin/busybox", "echo", "hello from the build"]
ENTRYPOINT ["/bin/busybox", "echo", "hello from the image"]
"""
SECONDS = 90_000  # patience in ms: a machine may be busy; nothing here measures speed


@pytest.fixture(scope="module")
def factory() -> Iterator[Factory]:
    made = Factory()
    said = made("up", IMAGEFACTORY_BUILD_NETWORK="none")
    assert said.returncode == 0, said.stdout + said.stderr
    yield made
    said = made("down")
    left = made.left()
    shutil.rmtree(made.data)
    assert said.returncode == 0, said.stderr
    assert left == []


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        made = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
        yield made
        made.close()


@pytest.fixture(scope="module")
def tab(browser: Browser, factory: Factory) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    page = context.new_page()
    page.set_default_timeout(SECONDS)
    wrong: list[str] = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("console", lambda said: wrong.append(said.text) if said.type == "error" else None)
    page.on("dialog", lambda box: box.accept())
    yield page
    context.close()
    assert [w for w in wrong if "422" not in w] == []


def archive(directory: Path, dockerfile: str = DOCKERFILE) -> Path:
    """Write a source archive: the Dockerfile and a static busybox."""
    path = directory / "app.tar.gz"
    with tarfile.open(path, "w:gz") as tar:
        text = dockerfile.encode()
        entry = tarfile.TarInfo("Dockerfile")
        entry.size = len(text)
        tar.addfile(entry, io.BytesIO(text))
        tar.add(BUSYBOX, "busybox")
    return path


def test_a_newcomer_comes_from_nothing_to_a_pulled_image(tab: Page, factory: Factory, tmp_path: Path) -> None:
    url = f"http://localhost:{factory.port}"
    tab.goto(url)
    tab.get_by_role("link", name="Create an account").click()
    tab.get_by_label("Your name").fill("Mira Lund")
    tab.get_by_label("E-mail").fill("mira@example.com")
    tab.get_by_label("Password").fill("copper-kettle-9")
    tab.get_by_label("Team").fill("Acme")
    tab.get_by_role("button", name="Create account").click()

    expect(tab.get_by_role("heading", name="First steps")).to_be_visible()
    tab.get_by_role("link", name="New project").click()
    tab.get_by_label("Name", exact=True).fill("Hello")
    tab.keyboard.press("Control+Enter")

    expect(tab.get_by_text("Where builds take the source from")).to_be_visible()
    tab.get_by_role("radio", name=re.compile("^Archive")).check()
    tab.get_by_label("Upload an archive").set_input_files(archive(tmp_path))
    tab.get_by_role("button", name="Save, then new build").click()

    expect(tab.get_by_role("heading", name="New build of Hello")).to_be_visible()
    tab.get_by_role("button", name="Dry run").click()
    expect(tab.get_by_role("heading", name="It would be accepted")).to_be_visible()
    tab.get_by_role("button", name="Start build").click()

    # Nothing is reloaded from here on: status, stages, log and result arrive by the stream.
    expect(tab.locator(".facts")).to_contain_text("Succeeded", timeout=SECONDS)
    expect(tab.locator(".stages li.good")).to_have_count(4)
    build = tab.url
    result = tab.get_by_role("region", name="Result")
    command = result.get_by_text(re.compile(r"^docker pull .+@sha256:")).text_content() or ""
    digest = command.rpartition("@")[2]

    tab.get_by_role("button", name="Expand all").click()
    expect(tab.locator("log-view")).to_contain_text("hello from the build")
    tab.reload()
    expect(tab.locator("log-view")).to_contain_text("hello from the build")

    tab.goto(f"{url}/me/keys?tenant=acme")
    tab.get_by_label("Name").fill("laptop")
    tab.get_by_role("button", name="Create key").click()
    key = tab.get_by_text(re.compile(r"^ifk_\w+")).first.text_content() or ""
    target = tmp_path / "pulled"
    reference = command.removeprefix("docker pull ")
    pulled = [
        "skopeo",
        "copy",
        "--src-tls-verify=false",
        "--src-creds",
        f"any:{key}",
        f"docker://{reference}",
        f"oci:{target}",
    ]
    done = subprocess.run(pulled, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    index = json.loads((target / "index.json").read_text())
    assert [m["digest"] for m in index["manifests"]] == [digest]

    tab.goto(f"{url}/t/acme/images/hello")
    expect(tab.get_by_role("table")).to_contain_text(digest[:13])
    tab.get_by_role("link", name="Build #1").click()
    expect(tab).to_have_url(build)


def test_a_build_that_fails_says_what_where_and_who_and_is_mended_from_there(tab: Page, factory: Factory) -> None:
    url = f"http://localhost:{factory.port}"
    tab.goto(f"{url}/t/acme/p/hello/builds/new")
    tab.get_by_role("radio", name="Dockerfile").check()
    tab.get_by_label("Dockerfile", exact=True).and_(tab.locator("textarea")).fill("FROM scratch\nCOPY missing /x\n")
    tab.keyboard.press("Control+Enter")
    expect(tab.locator(".facts")).to_contain_text("Failed", timeout=SECONDS)
    cause = tab.get_by_role("region", name="Cause")
    expect(cause).to_contain_text("You can mend this")
    tab.get_by_role("link", name="Edit and run").click()
    expect(tab.locator("textarea[name=dockerfile_text]")).to_have_value(re.compile("COPY missing"))


def test_a_running_build_is_cancelled_and_the_list_beside_it_follows_live(
    tab: Page, factory: Factory, tmp_path: Path
) -> None:
    url = f"http://localhost:{factory.port}"
    beside = tab.context.new_page()
    beside.goto(f"{url}/t/acme/p/hello/builds")
    tab.goto(f"{url}/t/acme/p/hello/builds/new")
    tab.get_by_role("radio", name=re.compile("^Archive")).check()
    slow = DOCKERFILE.replace('"echo", "hello from the build"', '"sleep", "600"')
    tab.get_by_label("Upload an archive").set_input_files(archive(tmp_path, slow))
    tab.get_by_label("Tags").fill("slow")
    tab.get_by_role("button", name="Start build").click()
    expect(tab.locator(".stages")).to_contain_text(re.compile("Build.*Running"), timeout=SECONDS)
    expect(tab.locator("log-view")).to_contain_text("sleep", timeout=SECONDS)

    beside.get_by_role("button", name=re.compile("1 new build")).click()
    row = beside.locator("tr[data-row]").first
    expect(row).to_contain_text("Running", timeout=SECONDS)
    tab.get_by_role("button", name="Cancel build").click()
    expect(tab.locator(".facts")).to_contain_text("Cancelled", timeout=SECONDS)
    expect(row).to_contain_text("Cancelled", timeout=SECONDS)
    expect(tab.get_by_role("button", name="Rerun")).to_be_visible()
    beside.close()
