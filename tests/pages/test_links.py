"""No dead ends: every link of every page that a role reaches leads somewhere, and every page is a proper document."""

from __future__ import annotations

import collections
import html
import re

import pytest
from django.test import Client

from imagefactory.domain.identity.models import User
from tests.pages.test_pages import Scene

_LINK = re.compile(r'href="([^"#]+)')
_IDS = re.compile(r'\sid="([^"]+)"')
_LABELS = re.compile(r'<label for="([^"]+)"')
# Not pages: a file, text, the API's own documents, the registry.
_NO_PAGE = ("/static/", "/api/", "mailto:")


@pytest.fixture
def scene(world: object) -> Scene:
    return Scene(world)  # type: ignore[arg-type]


def crawl(browser: Client, start: str, most: int = 300) -> dict[str, str]:
    """Return address -> HTML of all pages that links lead to from `start`."""
    pages: dict[str, str] = {}
    queue, seen = collections.deque([start]), {start}
    while queue:
        assert len(pages) < most, "the pages have links without end"
        address = queue.popleft()
        answer = browser.get(address, follow=True)
        assert answer.status_code == 200, (address, answer.status_code)
        if not answer["Content-Type"].startswith("text/html"):
            continue
        text = answer.getvalue().decode()
        pages[answer.wsgi_request.get_full_path()] = text
        for link in _LINK.findall(text):
            target = html.unescape(link)
            if target.startswith("?"):
                target = address.partition("?")[0] + target
            if target.startswith(_NO_PAGE) or target in seen:
                continue
            assert target.startswith("/"), (address, target)
            seen.add(target)
            queue.append(target)
    return pages


@pytest.mark.parametrize("role", ["viewer", "member", "admin", "owner"])
def test_every_link_that_a_role_sees_leads_to_a_page(scene: Scene, role: str) -> None:
    browser = Client()
    browser.force_login(User.objects.get(id=scene.world.users[role]))
    pages = crawl(browser, f"/t/{scene.world.tenant_slug}/")
    assert len(pages) > 20
    titles = collections.defaultdict(set)
    for address, text in pages.items():
        where = f"{role} at {address}"
        title = re.search(r"<title>(.*?)</title>", text, re.DOTALL)
        assert title, where
        titles[title[1].strip()].add(address.partition("?")[0])
        assert title[1].strip().endswith("Image Factory"), where
        assert text.count("<h1") == 1, where
        ids = _IDS.findall(text)
        assert len(ids) == len(set(ids)), (where, [i for i, n in collections.Counter(ids).items() if n > 1])
        assert set(_LABELS.findall(text)) <= set(ids), where
        for action in re.findall(r'<form[^>]*method="post"[^>]*action="([^"]+)"', text):
            assert action.startswith("/"), where
        assert text.count('class="btn primary') + text.count("btn danger") <= 1 + text.count("<dialog"), where
    assert {t: paths for t, paths in titles.items() if len(paths) > 1} == {}


def test_someone_signed_out_finds_no_dead_end_either(db: None) -> None:
    pages = crawl(Client(), "/login")
    assert {"/login", "/signup", "/help"} <= set(pages)
