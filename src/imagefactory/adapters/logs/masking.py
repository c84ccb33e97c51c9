"""Secrets leave no trace in a log: every spelling of a secret value becomes `***`, however the output was
cut.

Text of a stream is held back as long as it could still become a secret, so it makes no difference where a
program's writes or our reads cut it. What overlaps is masked as one. A value broken by colour sequences or
wrapped by the program itself is not recognised.
"""

from __future__ import annotations

import base64
import collections
import json
from collections.abc import Iterable, Iterator
from typing import Final
from urllib.parse import quote, quote_plus

MASK: Final = "***"
MIN_LENGTH: Final = 4  # a shorter value would blacken half of every log
_MIN_PART: Final = 8  # a base64 fragment shorter than this would match innocent text
MAX_SECRETS: Final = 500
MAX_SECRET: Final = 65_536


class SecretTooShort(ValueError):
    """A value is too short to be masked. The message is a sentence; it does not show the value."""


def spellings(secret: str) -> set[str]:
    """Return every text that would give this secret away.

    These are: itself, each of its lines, JSON- and URL-quoted, and base64 (both alphabets, at each of the
    three alignments that it can have inside a longer value). Raises SecretTooShort below MIN_LENGTH
    characters.
    """
    if len(secret.strip()) < MIN_LENGTH:
        raise SecretTooShort(
            f"A secret of fewer than {MIN_LENGTH} characters cannot be hidden in a log. Make it longer, "
            "or pass it as an "
            "ordinary argument if it is none."
        )
    parts = {secret, secret.strip()}
    parts.update(line.strip() for line in secret.splitlines())
    found: set[str] = set()
    for part in parts:
        if len(part) >= MIN_LENGTH:
            found.update({part, json.dumps(part)[1:-1], json.dumps(part, ensure_ascii=False)[1:-1]})
            found.update({quote(part), quote(part, safe=""), quote_plus(part)})
            found.update(_encodings(part.encode("utf-8", "replace")))
    return {spelling for spelling in found if len(spelling) >= MIN_LENGTH}


def _encodings(value: bytes) -> Iterator[str]:
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        yield encode(value).decode()
        for shift in range(3):
            text = encode(bytes(shift) + value).decode().rstrip("=")
            start = (0, 2, 3)[shift]  # characters that hold bits of what stands before
            whole = (shift + len(value)) * 8 // 6  # characters that hold bits of the value alone
            if len(text[start:whole]) >= _MIN_PART:
                yield text[start:whole]


class Masker:
    """Masks the text of any number of streams; one for each execution, used by one thread."""

    def __init__(self, secrets: Iterable[str]) -> None:
        """Raises SecretTooShort, and ValueError when there are too many or too long secrets."""
        values = {secret.replace("\r\n", "\n") for secret in secrets}
        if len(values) > MAX_SECRETS or any(len(value) > MAX_SECRET for value in values):
            raise ValueError(f"At most {MAX_SECRETS} secrets of {MAX_SECRET} characters can be hidden in one log.")
        self._forms = sorted({form for value in values for form in spellings(value)})
        self._by_first: dict[str, list[str]] = collections.defaultdict(list)
        for form in self._forms:
            self._by_first[form[0]].append(form)
        self._longest = max(map(len, self._forms), default=0)
        self._held: dict[str, str] = {}
        self._covered: dict[str, int] = {}  # characters at the start of what is held that are masked for certain
        self._open: set[str] = set()  # streams whose last output was a mask that may still grow
        self.masked = 0

    def feed(self, stream: str, text: str) -> str:
        """Take text of a stream and return what may be shown now."""
        if not self._forms:
            return text
        text = self._held.get(stream, "") + text
        return self._emit(stream, text, self._undecided(text))

    def flush(self, stream: str) -> str:
        """Return what was held back: the stream is at its end."""
        text = self._held.get(stream, "")
        shown = self._emit(stream, text, len(text))
        self._open.discard(stream)
        return shown

    def _undecided(self, text: str) -> int:
        """Return the first position from which the rest could be the beginning of a secret."""
        for position in range(max(len(text) - self._longest + 1, 0), len(text)):
            forms = self._by_first.get(text[position])
            if forms:
                rest = text[position:]
                if any(len(form) > len(rest) and form.startswith(rest) for form in forms):
                    return position
        return len(text)

    def _emit(self, stream: str, text: str, upto: int) -> str:
        """Return text[:upto] with all that a secret covers masked; what reaches beyond is remembered."""
        if not upto:
            self._held[stream] = text
            return ""
        covered = self._covered.get(stream, 0)
        runs = self._runs(text, covered)
        out: list[str] = []
        position = 0
        for start, end in runs:
            if start >= upto:
                break
            if start > position or (start == 0 and stream not in self._open):
                out.append(text[position:start])
                out.append(MASK)
                self.masked += 1
            position = min(end, upto)
        out.append(text[position:upto])
        last = max((end for start, end in runs if start < upto), default=0)
        self._held[stream] = text[upto:]
        self._covered[stream] = max(last - upto, 0)
        (self._open.add if last >= upto else self._open.discard)(stream)
        return "".join(out)

    def _runs(self, text: str, covered: int) -> list[tuple[int, int]]:
        """Return the merged parts of the text that a secret covers; parts that touch are one."""
        spans = [(0, covered)] if covered else []
        for form in self._forms:
            at = text.find(form)
            while at >= 0:
                spans.append((at, at + len(form)))
                at = text.find(form, at + 1)
        merged: list[tuple[int, int]] = []
        for start, end in sorted(spans):
            if merged and start <= merged[-1][1]:
                merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
            else:
                merged.append((start, end))
        return merged
