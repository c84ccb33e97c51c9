"""What a page may weigh, and that its colours can be read: computed from the bundles and the token table."""

from __future__ import annotations

import gzip
import itertools
import re
import subprocess
from pathlib import Path

import pytest
from django.test import Client

from imagefactory.domain.identity.models import User
from tests.pages.test_pages import Scene

ROOT = Path(__file__).resolve().parents[2]
TOKENS = (ROOT / "assets/css/tokens.css").read_text()
KB = 1000


@pytest.fixture(scope="module")
def bundles() -> dict[str, bytes]:
    """Return the bundles by their entry's name, made as they are now."""
    subprocess.run(["node", "build.mjs"], cwd=ROOT / "assets", check=True, stdout=subprocess.DEVNULL)
    dist = ROOT / "src/imagefactory/entry/web/static/dist"
    found = [f for f in dist.iterdir() if f.suffix in {".js", ".css"}]
    named = {f.name.partition("-")[0] + f.suffix: f.read_bytes() for f in found}
    assert len(named) == len(found)
    return named


def packed(data: bytes) -> int:
    return len(gzip.compress(data, 9))


def test_style_and_scripts_stay_small(bundles: dict[str, bytes]) -> None:
    assert packed(bundles["style.css"]) <= 30 * KB
    assert sum(packed(data) for name, data in bundles.items() if name.endswith(".js")) <= 40 * KB


def test_bundles_name_no_other_origin(bundles: dict[str, bytes]) -> None:
    for name, data in bundles.items():
        found = re.findall(rb"(?:https?:)?//[a-z0-9.-]+\.[a-z]{2,}", data)
        assert [f for f in found if b"www.w3.org" not in f] == [], name


def test_a_full_page_of_html_stays_small(world: object) -> None:
    scene = Scene(world)  # type: ignore[arg-type]
    browser = Client()
    browser.force_login(User.objects.get(id=scene.world.users["owner"]))
    for name in ("overview", "builds", "build", "build-new", "image"):
        assert packed(browser.get(scene.address(name)).content) <= 60 * KB, name


def _colours() -> dict[str, tuple[str, str]]:
    return {n: (a, b) for n, a, b in re.findall(r"--([\w-]+): light-dark\((#\w{6}), (#\w{6})\)", TOKENS)}


def _luminance(colour: str) -> float:
    """Return the relative luminance of `#rrggbb` (WCAG 2.2, definition of relative luminance)."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    """Return the contrast ratio of two colours (WCAG 2.2, success criterion 1.4.3)."""
    light, dark = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


GROUNDS = ("bg", "surface", "raised", "sunk")
TEXT = ("ink", "dim", "accent", "good", "bad", "warn", "run")
PAIRS = [
    *itertools.product(TEXT, GROUNDS),
    ("accent-ink", "accent"), ("bad-ink", "bad"), ("accent", "accent-bg"), ("ink", "bad-bg"), ("ink", "run-bg"),
    ("ink", "good-bg"), ("ink", "warn-bg"), ("bad", "bad-bg"), ("warn", "warn-bg"), ("run", "run-bg"), ("ink", "mark"),
    *[(f"a{n}", "surface") for n in range(8)],
]  # fmt: skip


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_text_can_be_read_on_every_ground_it_stands_on(theme: str) -> None:
    colours = {name: pair[theme == "dark"] for name, pair in _colours().items()}
    poor = {f"{a} on {b}": round(contrast(colours[a], colours[b]), 2) for a, b in PAIRS
            if contrast(colours[a], colours[b]) < 4.5}  # fmt: skip
    assert poor == {}


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_borders_of_fields_and_icons_stand_out(theme: str) -> None:
    colours = {name: pair[theme == "dark"] for name, pair in _colours().items()}
    for name in ("edge", "good", "bad", "warn", "run", "accent"):
        for ground in ("bg", "surface"):
            assert contrast(colours[name], colours[ground]) >= 3, (name, ground)
