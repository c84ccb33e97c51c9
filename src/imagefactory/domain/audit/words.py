"""How texts become the words of the index, for the writer and the reader alike."""

from __future__ import annotations

import re
from typing import Final

MAX_WORD: Final = 64
_WORD = re.compile(r"[^\W_]+")
_ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_EMAIL = re.compile(r"[^\s\"'<>()\[\],;:\\\0]{1,64}@[a-z0-9.-]{0,255}[a-z0-9]")


def split_words(text: str) -> list[str]:
    """Return the words of a text: letters and digits in lower case; ids without hyphens, e-mail addresses whole too."""
    text = text.lower()
    if "-" not in text and "@" not in text:
        return [w[:MAX_WORD] for w in _WORD.findall(text)]
    ids = [found.replace("-", "") for found in _ID.findall(text)] + _EMAIL.findall(text)
    return [w[:MAX_WORD] for w in (*ids, *_WORD.findall(_ID.sub(" ", text)))]


def quoted(word: str) -> str:
    """Return a word as it stands in a tsquery."""
    return "'" + word.replace("\\", "\\\\").replace("'", "''").replace("\0", "") + "'"
