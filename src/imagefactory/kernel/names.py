"""Short names that people type: a sentence that points at what may not stand in them."""

from __future__ import annotations

import unicodedata


def describe(character: str) -> str:
    """Return a character with its code and its Unicode name, so that a look-alike is told from what it looks like."""
    name = unicodedata.name(character, "")
    shown = f"“{character}” " if character.isprintable() else ""
    return f"{shown}(U+{ord(character):04X}{' ' + name if name else ''})"


def not_ascii(text: str) -> str:
    """Return the sentence about the first character of `text` that is not ASCII; empty when there is none."""
    for character in text:
        if not character.isascii():
            return (
                f"It holds the character {describe(character)}. A short name has plain letters a to z only, since look-alikes "
                "would pass for another team."
            )
    return ""
