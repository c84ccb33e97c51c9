"""The bytes that a hash and a signature cover. A change here breaks every chain: add a format, never edit one."""

from __future__ import annotations

import dataclasses
import datetime as dt
import hashlib
import json
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

INSTALLATION = uuid.UUID(int=0)  # the chain of what happens outside every tenant
FIRST = bytes(32)  # what the first row of a chain follows from
_FORMAT = 1


@dataclasses.dataclass(frozen=True)
class Row:
    """An entry before it has its place in a chain; `words` are what a search finds it by."""

    event_id: uuid.UUID
    occurred_at: dt.datetime
    tenant_id: uuid.UUID | None
    project_id: uuid.UUID | None
    type: str
    actor_id: uuid.UUID | None
    actor_kind: str
    actor_name: str
    actor_email: str
    key_id: uuid.UUID | None
    object_kind: str
    object_id: str
    object_label: str
    before: Mapping[str, Any] | None
    after: Mapping[str, Any] | None
    details: Mapping[str, Any]
    result: str
    reason: str
    address: str
    request_id: str
    correlation_id: str
    words: Sequence[str]

    @property
    def chain(self) -> uuid.UUID:
        return self.tenant_id or INSTALLATION


FIELDS = tuple(f.name for f in dataclasses.fields(Row))


def _plain(value: object) -> object:
    if isinstance(value, uuid.UUID):
        return str(value)
    if isinstance(value, dt.datetime):
        return value.astimezone(dt.UTC).isoformat(timespec="microseconds")
    return value


def _bytes(parts: Sequence[object]) -> bytes:
    text = json.dumps([_plain(p) for p in parts], sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return text.encode("utf-8")


def row_hash(row: Row, seq: int, recorded_at: dt.datetime, prev_hash: bytes) -> bytes:
    """Return the hash of a row at its place: every column in the order of FIELDS, behind the hash before it."""
    values = [sorted(row.words) if name == "words" else getattr(row, name) for name in FIELDS]
    return hashlib.sha256(prev_hash + _bytes([_FORMAT, str(row.chain), seq, recorded_at, *values])).digest()


@dataclasses.dataclass(frozen=True)
class Statement:
    """What a checkpoint says and its signature covers; `models.Checkpoint` explains the fields."""

    number: int
    chain: uuid.UUID
    seq: int
    hash: bytes
    kind: str
    made_at: dt.datetime
    removed_until: dt.datetime | None
    kept_hash: bytes
    previous: bytes
    key_id: str

    def signed_bytes(self) -> bytes:
        """Return what is signed."""
        values = [getattr(self, f.name) for f in dataclasses.fields(self)]
        return _bytes([_FORMAT, *(v.hex() if isinstance(v, bytes) else v for v in values)])


def kept_hash(rows: Sequence[tuple[int, bytes]]) -> bytes:
    """Return the hash over the numbers and hashes of rows that stay behind a removal, in the order of their numbers."""
    if not rows:
        return b""
    found = hashlib.sha256()
    for seq, row in sorted(rows):
        found.update(seq.to_bytes(8, "big") + row)
    return found.digest()


def link(signature: bytes) -> bytes:
    """Return what the next checkpoint names the one with this signature by."""
    return hashlib.sha256(signature).digest()
