"""Identifiers: time-ordered UUIDs, slugs and random tokens."""

from __future__ import annotations

import datetime as dt
import hashlib
import re
import secrets
import time
import uuid

SLUG = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?")
SLUG_RULE = "1 to 40 of a-z, 0-9 and hyphens, not starting or ending with a hyphen, and not like an id"
_ID = re.compile(r"[0-9a-f]{32}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")

# Names that would be mistaken for a page, an area of the registry or the system itself.
RESERVED_SLUGS = frozenset(
    {"admin", "api", "cache", "help", "internal", "library", "live", "login", "me", "new", "quarantine", "registry",
     "review", "setup", "signup", "static", "system", "t", "v2"}
)  # fmt: skip


def uuid7() -> uuid.UUID:
    """Return a version 7 UUID (RFC 9562, section 5.7): 48 bits of milliseconds, then random bits.

    Made here and not by the database, because `uuidv7()` needs PostgreSQL 18 and 15 is supported.
    """
    ms = time.time_ns() // 1_000_000
    rand = secrets.randbits(74)
    value = (ms & (1 << 48) - 1) << 80 | 0x7 << 76 | (rand >> 62) << 64 | 0b10 << 62 | rand & (1 << 62) - 1
    return uuid.UUID(int=value)


def first_at(moment: dt.datetime) -> uuid.UUID:
    """Return the least id that could be made at this time: ids below it are older, the others are not.

    No id is older than 1970, so any time before it gives the least id of all.
    """
    return uuid.UUID(int=max(0, int(moment.timestamp() * 1000)) << 80)


def is_slug(text: str) -> bool:
    """Whether `text` may be a short name; one that reads as an id may not, as both stand in the same place."""
    return SLUG.fullmatch(text) is not None and _ID.fullmatch(text) is None


def slugify(name: str) -> str:
    """Return the slug that a name suggests; may be empty when nothing of it can stand in one."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:40].strip("-")


def token(nbytes: int = 32) -> str:
    """Return a random URL-safe token without `_` and `-`, so that a double click selects all of it."""
    return secrets.token_hex(nbytes)


def digest(secret: str) -> str:
    """Return the SHA-256 of a random token, for storage; not for passwords, which need a slow hash."""
    return hashlib.sha256(secret.encode()).hexdigest()
