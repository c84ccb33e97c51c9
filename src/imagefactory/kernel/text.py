"""Text that people see beside other people's text: what may not stand in it."""

from __future__ import annotations

import unicodedata
from typing import Final

# Joiners that emoji and several scripts need, though they are invisible.
_JOINERS: Final = frozenset("\u200c\u200d")
# Controls, invisible formatting (bidi overrides, zero-width marks), unpaired surrogates, separators of lines.
_REFUSED: Final = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})


def plain_text_errors(text: str) -> list[str]:
    """Return the sentence about characters that could make a name look like another one, or nothing.

    Refused are control characters, marks that turn the reading direction, and other invisible ones (Unicode categories
    Cc, Cf, Cs, Zl and Zp); letters of every script are fine.
    """
    for place, char in enumerate(text, 1):
        if char not in _JOINERS and unicodedata.category(char) in _REFUSED:
            return [
                f"Character {place} (U+{ord(char):04X}) is invisible or changes how the text reads. Leave it out, or type the "
                "text again by hand."
            ]
    return []
