"""Links of the written pages lead somewhere, and the commands in them exist."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from scripts.reference import commands

from tests.docs.pages import ROOT, dead_links, examples, mentions, pages

PAGES = [str(page.relative_to(ROOT)) for page in pages()]


def problem(words: Sequence[str], *, whole: bool) -> str:
    """Return what is wrong with a command line; `whole` reads its arguments too, as the command would."""
    known = commands()
    if words[0].startswith(("-", "...", "…")) or words[0].isupper():
        return ""  # imagefactory --help, imagefactory COMMAND
    for length in (3, 2, 1):
        name = " ".join(words[:length])
        if name in known:
            return _arguments(known[name], name, list(words[length:]), whole=whole)
    group = " ".join(word for word in words if word != "--help")
    if (not whole or "--help" in words) and any(name.startswith(f"{group} ") for name in known):
        return ""  # imagefactory build --help
    return f"there is no command: imagefactory {' '.join(words)}"


def _arguments(command: object, name: str, rest: list[str], *, whole: bool) -> str:
    if whole:
        try:
            command.make_context(name, rest)  # type: ignore[attr-defined]
        except Exception as error:  # noqa: BLE001 - the usage errors of the library; all of them mean the same here
            return f"imagefactory {name} {' '.join(rest)}: {error or type(error).__name__}"
        return ""
    options = {opt for param in command.params for opt in param.opts} | {"--help"}  # type: ignore[attr-defined]
    wrong = [word for word in rest if word.startswith("-") and word.partition("=")[0] not in options]
    return f"imagefactory {name} has no option {wrong[0]}" if wrong else ""


@pytest.mark.parametrize("name", PAGES)
def test_no_relative_link_is_dead(name: str) -> None:
    page = ROOT / name
    assert dead_links(page, page.read_text("utf-8")) == []


@pytest.mark.parametrize("name", PAGES)
def test_every_command_that_a_page_names_exists(name: str) -> None:
    text = (ROOT / name).read_text("utf-8")
    found = [problem(words, whole=False) for words in mentions(text)]
    found += [problem(words, whole=True) for words in examples(text)]
    assert [each for each in found if each] == []


def test_a_dead_link_and_a_dead_anchor_are_found(tmp_path: Path) -> None:
    page = ROOT / "docs" / "status.md"
    text = "[a](no-such.md) [b](decisions/) [c](status.md#no-such) [d](#here) [e](https://example.com) `[f](gone.md)`\n"
    assert dead_links(page, text) == ["no-such.md", "status.md#no-such", "#here"]


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("Use `imagefactory up`.", 0),
        ("Use `imagefactory build`.", 0),
        ("Use `imagefactory build list --mine`.", 0),
        ("Use `imagefactory build --help`.", 0),
        ("Use `imagefactory uo`.", 1),
        ("Use `imagefactory build list --yours`.", 1),
        ("```sh\nimagefactory build show 0b54e2 | less   # one\n```", 0),
        ("```sh\nimagefactory build show a b\n```", 1),
        ('    printf %s "$x" | imagefactory project secret add app token\n', 0),
        ("    imagefactory project secret add app\n", 1),
        ("    imagefactory project secret add app key < key.txt\n", 0),
        ("    IMAGEFACTORY_TOKEN=x sh scripts/with-venv.sh imagefactory whoami && imagefactory woami\n", 1),
        ("    psql -d imagefactory -c x\n", 0),
        ("    imagefactory build submit app \\\n        --dockerfil x\n", 1),
    ],
)
def test_wrong_commands_are_found_and_right_ones_are_not(text: str, wrong: int) -> None:
    found = [problem(words, whole=False) for words in mentions(text)]
    found += [problem(words, whole=True) for words in examples(text)]
    assert len([each for each in found if each]) == wrong, found
