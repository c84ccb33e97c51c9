"""What is sent for the log viewer: the size of its script, and colours that can be read."""

from __future__ import annotations

import gzip
import json
import re
from pathlib import Path

import pytest

from tests.browser import log_world

DIST = log_world.ROOT / "src/imagefactory/entry/web/static/dist"


def test_the_script_keeps_its_budget(assets: None) -> None:
    made = json.loads((DIST / "manifest.json").read_text())
    assert len(gzip.compress((DIST / made["log.js"]).read_bytes(), 9)) < 12_000


# ---- colours ---------------------------------------------------------------------------------------------------------


def _tokens() -> dict[str, tuple[str, str]]:
    text = (Path(log_world.ROOT) / "assets/css/tokens.css").read_text()
    return {name: (light, dark) for name, light, dark in
            re.findall(r"--([\w-]+): light-dark\(#(\w{6}), #(\w{6})\)", text)}  # fmt: skip


def _luminance(colour: str) -> float:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (0, 2, 4)]
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _contrast(one: str, other: str) -> float:
    high, low = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
def test_every_colour_of_a_log_can_be_read_on_every_ground_of_a_line(theme: int) -> None:
    tokens = _tokens()
    words = ["ink", "dim", "bad", "warn", "run", *(f"a{i}" for i in range(8))]
    grounds = ["surface", "sunk", "bad-bg", "warn-bg", "accent-bg"]
    low = {
        (word, ground): round(_contrast(tokens[word][theme], tokens[ground][theme]), 2)
        for word in words for ground in grounds
        if _contrast(tokens[word][theme], tokens[ground][theme]) < 4.5
    }  # fmt: skip
    assert not low
