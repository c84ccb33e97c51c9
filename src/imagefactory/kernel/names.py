"""Names and short names that people type: what may stand in them, and a sentence that points at what may not."""

from __future__ import annotations

import unicodedata

# Control, format (bidirectional overrides, zero-width), private, unassigned, surrogate, line and paragraph separators.
_UNSEEN = frozenset({"Cc", "Cf", "Co", "Cn", "Cs", "Zl", "Zp"})
# Joiners that some languages spell words with.
_JOINERS = frozenset("\u200c\u200d")


def describe(character: str) -> str:
    """Return a character with its code and its Unicode name, so that a look-alike is told from what it looks like."""
    name = unicodedata.name(character, "")
    shown = f"“{character}” " if unicodedata.category(character) not in _UNSEEN else ""
    return f"{shown}(U+{ord(character):04X}{' ' + name if name else ''})"


def unseen(text: str) -> str:
    """Return the sentence about the first character of `text` that cannot be seen or turns text around; else empty."""
    for character in text:
        if unicodedata.category(character) in _UNSEEN and character not in _JOINERS:
            return f"It holds the character {describe(character)}, which cannot be seen. Take it out."
    return ""


def not_ascii(text: str) -> str:
    """Return the sentence about the first character of `text` that is not ASCII; empty when there is none."""
    for character in text:
        if not character.isascii():
            return (
                f"It holds the character {describe(character)}. A short name has plain letters a to z only, since look-alikes "
                "would pass for another team."
            )
    return ""
