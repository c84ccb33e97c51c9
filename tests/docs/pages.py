"""Reads the written pages: their links, headings, and the commands that they name."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

_FENCE = re.compile(r"^ *```.*?^ *```", re.MULTILINE | re.DOTALL)
_INLINE = re.compile(r"`([^`\n]+)`")
_LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
_SHELL_ENDS = {"|", "&&", "||", ";", "&", "(", ")"}
_BEFORE = {"sudo", "env", "time", "sh", "scripts/with-venv.sh"}  # words that may stand before a command


def pages() -> list[Path]:
    """Return every page that people read in the repository."""
    found = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "examples").rglob("*.md")]
    return sorted(found)


def dead_links(page: Path, text: str) -> list[str]:
    """Return the relative links of a page that lead nowhere, anchors included."""
    prose = _INLINE.sub("", _FENCE.sub("", text))
    return [target for target in _LINK.findall(prose) if not _leads_somewhere(page, target)]


def _leads_somewhere(page: Path, target: str) -> bool:
    if re.match(r"[a-z]+:", target):
        return True
    path, _, anchor = target.partition("#")
    place = (page.parent / path).resolve() if path else page
    if not place.exists() or not place.is_relative_to(ROOT):
        return False
    return not anchor or (place.suffix == ".md" and anchor in _anchors(place.read_text("utf-8")))


def _anchors(text: str) -> set[str]:
    """Return the anchors of the headings, as the usual hosts of Markdown make them."""
    headings = re.findall(r"^#+ +(.*)$", _FENCE.sub("", text), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def mentions(text: str) -> Iterator[list[str]]:
    """Yield the words behind `imagefactory` wherever a page names a command within a line of prose."""
    for code in _INLINE.findall(_FENCE.sub("", text)):
        if code.startswith("imagefactory "):
            yield code.split()[1:]


def examples(text: str) -> Iterator[list[str]]:
    """Yield the arguments of each `imagefactory` command in a block of code."""
    blocks = [*_FENCE.findall(text), *re.findall(r"(?:^    .*\n?)+", _FENCE.sub("", text), re.MULTILINE)]
    for line in "\n".join(blocks).replace("\\\n", " ").splitlines():
        try:
            lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
            lexer.whitespace_split = True
            words = list(lexer)
        except ValueError:
            continue  # no shell
        for command in _split(words):
            while command and ("=" in command[0] or command[0] in _BEFORE):
                command.pop(0)
            if len(command) > 1 and command[0] == "imagefactory":
                yield command[1:]


def _split(words: list[str]) -> Iterator[list[str]]:
    """Yield the single commands of a line; what follows a redirection is left out."""
    command: list[str] = []
    skip = False
    for word in [*words, ";"]:
        if word in _SHELL_ENDS:
            yield command
            command = []
        elif set(word) <= set("<>") and word:
            skip = True
        elif skip:
            skip = False
        else:
            command.append(word)
