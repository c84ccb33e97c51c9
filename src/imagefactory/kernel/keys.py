"""The text of an API key: `ifk_` + 12 hex digits of prefix + `_` + 48 of secret + 8 of checksum.

The secret is 192 random bits, so a fast hash (SHA-256) keeps it: argon2 protects what people can guess, and would cost
every request a tenth of a second. The checksum (CRC-32 of what stands before it) tells a typing error from a key that was
revoked, without a look into the database; keys from before it have none and stay valid.
"""

from __future__ import annotations

import binascii
import dataclasses
import hmac
import re

from imagefactory.kernel import ids

# What secret scanners look for; in docs/how-to/api-keys.md as well.
PATTERN = r"\bifk_[0-9a-f]{12}_[0-9a-f]{48}(?:[0-9a-f]{8})?\b"
_MARK = "ifk_"
_TEXT = re.compile(r"ifk_([0-9a-f]{12})_([0-9a-f]{48}(?:[0-9a-f]{8})?)")
_WITH_CHECKSUM = 56


@dataclasses.dataclass(frozen=True)
class KeyText:
    """A key in its two parts; `tail` is the secret with its checksum, and what is hashed."""

    prefix: str
    tail: str = dataclasses.field(repr=False)

    @property
    def whole(self) -> str:
        return f"{_MARK}{self.prefix}_{self.tail}"

    @property
    def hashed(self) -> str:
        return ids.digest(self.tail)

    def fits(self, stored_hash: str) -> bool:
        """Whether this is the key whose hash is stored; takes the same time for every wrong one."""
        return hmac.compare_digest(self.hashed.encode(), stored_hash.encode())


def _checksum(prefix: str, secret: str) -> str:
    return f"{binascii.crc32(f'{_MARK}{prefix}_{secret}'.encode()):08x}"


def new_key() -> KeyText:
    """Return a key that nobody has yet."""
    prefix, secret = ids.token(6), ids.token(24)
    return KeyText(prefix, secret + _checksum(prefix, secret))


def read_key(text: str) -> KeyText | None:
    """Return the parts of a key, or None for a text that was mistyped, cut off, or never one."""
    match = _TEXT.fullmatch(text)
    if match is None:
        return None
    prefix, tail = match.groups()
    if len(tail) == _WITH_CHECKSUM and tail[48:] != _checksum(prefix, tail[:48]):
        return None
    return KeyText(prefix, tail)
