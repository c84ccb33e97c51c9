"""Write entries from events, each at its place in the chain of its tenant."""

from __future__ import annotations

import datetime as dt
import json
import uuid
from collections.abc import Mapping, Sequence
from typing import Any, Final, Protocol

from django.db import connection

from imagefactory.domain.audit.canonical import FIELDS, FIRST, Row, row_hash
from imagefactory.domain.audit.masking import mask, mask_text
from imagefactory.domain.audit.objects import object_of
from imagefactory.domain.audit.words import split_words
from imagefactory.kernel import pg
from imagefactory.kernel.clock import now

# Of one row and of one text in it, each at most words.MAX_WORD characters: the index holds no essay.
MAX_WORDS: Final = 160
MAX_WORDS_OF_TEXT: Final = 40
_FAILED: Final = ("failed", "lost")
_REFUSED: Final = ("refused", "denied")
# Fields of a payload that have a column of their own.
_APART: Final = frozenset({"before", "after", "object_kind", "object_id", "object_label"})

_TYPES: Final[Mapping[str, str]] = {
    "event_id": "uuid", "occurred_at": "timestamptz", "tenant_id": "uuid", "project_id": "uuid", "actor_id": "uuid",
    "key_id": "uuid", "before": "jsonb", "after": "jsonb", "details": "jsonb", "recorded_at": "timestamptz",
    "seq": "bigint", "prev_hash": "bytea", "hash": "bytea",
}  # fmt: skip
_COLUMNS: Final = (*(f for f in FIELDS if f != "words"), "recorded_at", "seq", "prev_hash", "hash", "search")
_INSERT: Final = (
    f"insert into audit_entry ({', '.join(_COLUMNS)}) select "  # noqa: S608 - names of ours
    + ", ".join("array_to_tsvector(string_to_array(search, ' '))" if c == "search" else c for c in _COLUMNS)
    + " from unnest("
    + ", ".join(f"%s::{_TYPES.get(c, 'text')}[]" for c in _COLUMNS)
    + f") as rows ({', '.join(_COLUMNS)})"
)
_HEADS: Final = "select chain, seq, hash from audit_head where chain = any(%s) order by chain for update"
_ADVANCE: Final = (
    "insert into audit_head (chain, seq, hash) select * from unnest(%s::uuid[], %s::bigint[], %s::bytea[]) "
    "on conflict (chain) do update set seq = excluded.seq, hash = excluded.hash"
)
_KNOWN: Final = "select event_id from audit_entry where event_id = any(%s) and occurred_at = any(%s)"


class Envelope(Protocol):
    """What the audit trail reads of an event."""

    @property
    def id(self) -> uuid.UUID: ...
    @property
    def type(self) -> str: ...
    @property
    def occurred_at(self) -> dt.datetime: ...
    @property
    def tenant_id(self) -> uuid.UUID | None: ...
    @property
    def actor_id(self) -> uuid.UUID | None: ...
    @property
    def actor_kind(self) -> str: ...
    @property
    def actor_name(self) -> str: ...
    @property
    def actor_email(self) -> str: ...
    @property
    def key_id(self) -> uuid.UUID | None: ...
    @property
    def address(self) -> str: ...
    @property
    def request_id(self) -> str: ...
    @property
    def correlation_id(self) -> str: ...
    @property
    def payload(self) -> Mapping[str, Any]: ...


def record(envelopes: Sequence[Envelope]) -> None:
    """Write one entry for each event; an event that has one already is left alone."""
    append([entry_of(e) for e in envelopes])


def entry_of(e: Envelope) -> Row:
    """Return the entry of an event: who, what, on which object, before and after, with what result; secrets masked."""
    payload = e.payload
    kind, object_id, label = object_of(e.type, e.tenant_id, payload)
    reason = payload.get("reason") or payload.get("message") or ""
    fields: dict[str, Any] = {
        "event_id": e.id, "occurred_at": e.occurred_at, "tenant_id": e.tenant_id,
        "project_id": _uuid(payload.get("project_id")), "type": e.type, "actor_id": e.actor_id,
        "actor_kind": str(e.actor_kind), "actor_name": e.actor_name, "actor_email": e.actor_email, "key_id": e.key_id,
        "object_kind": kind, "object_id": mask_text(object_id[:300]), "object_label": mask_text(label[:300]),
        "before": _side(payload.get("before")), "after": _side(payload.get("after")),
        "details": mask({k: v for k, v in payload.items() if k not in _APART}), "result": result_of(e.type),
        "reason": str(mask(str(reason))), "address": e.address, "request_id": e.request_id,
        "correlation_id": e.correlation_id,
    }  # fmt: skip
    return Row(**fields, words=_words(fields))


def old_entry(old: Any) -> Row:
    """Return the entry of a row of the first table, which the migration moves; it knew no e-mail, key or correlation."""
    envelope = _Old()
    for name in ("type", "occurred_at", "tenant_id", "actor_id", "actor_kind", "actor_name", "address", "request_id"):
        setattr(envelope, name, getattr(old, name))
    envelope.id, envelope.payload = old.event_id, old.payload
    return entry_of(envelope)


class _Old:
    """An envelope made of an old row."""

    id: uuid.UUID
    type: str
    occurred_at: dt.datetime
    tenant_id: uuid.UUID | None
    actor_id: uuid.UUID | None
    actor_kind: str
    actor_name: str
    address: str
    request_id: str
    payload: Mapping[str, Any]
    actor_email = ""
    key_id = None
    correlation_id = ""


def result_of(type_: str) -> str:
    """Return `done`, `refused` or `failed`, by the last word of an event's type."""
    if type_.endswith(_REFUSED):
        return "refused"
    return "failed" if type_.endswith(_FAILED) else "done"


def _side(value: object) -> Mapping[str, Any] | None:
    """Return one side of a change as an object; a bare value becomes its field `value`."""
    if value is None:
        return None
    masked = mask(value)
    return masked if isinstance(masked, dict) else {"value": masked}


def _uuid(value: object) -> uuid.UUID | None:
    try:
        return uuid.UUID(str(value)) if value else None
    except ValueError:
        return None


def _texts(value: object) -> list[str]:
    if isinstance(value, dict):
        return [t for v in value.values() for t in _texts(v)]
    if isinstance(value, list):
        return [t for v in value for t in _texts(v)]
    return [value[:400]] if isinstance(value, str) else [str(value)] if type(value) is int else []


def _words(row: Mapping[str, Any]) -> tuple[str, ...]:
    """Return what a search finds the entry by."""
    # What the filters look for stands first, so that no long text takes its place.
    texts = [
        row["type"], str(row["actor_id"] or ""), str(row["key_id"] or ""), row["object_id"], row["correlation_id"],
        row["request_id"], row["actor_email"], row["actor_name"], row["address"], row["object_kind"], row["object_label"],
        row["reason"][:400], *_texts(row["before"]), *_texts(row["after"]), *_texts(row["details"]),
    ]  # fmt: skip
    words = dict.fromkeys(w for t in dict.fromkeys(texts) for w in split_words(t)[:MAX_WORDS_OF_TEXT])
    # The address as a whole too, because its parts are in a thousand others.
    return tuple(sorted({*list(words)[:MAX_WORDS], row["address"].lower()} - {""}))


def append(rows: Sequence[Row]) -> int:
    """Put rows at the ends of their chains, in their order, and return how many were new.

    Six statements however many rows; inside the caller's transaction. Writers wait for each other until it ends.
    """
    if not rows:
        return 0
    with connection.cursor() as cursor:
        cursor.execute("select pg_advisory_xact_lock(%s)", [pg.Lock.AUDIT_WRITE])
        months = {
            r.occurred_at.astimezone(dt.UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0) for r in rows
        }
        cursor.execute("select audit_ensure_partition(m) from unnest(%s::timestamptz[]) m", [sorted(months)])
        cursor.execute(_KNOWN, [[r.event_id for r in rows], sorted({r.occurred_at for r in rows})])
        known = {found[0] for found in cursor.fetchall()}
        fresh = list({r.event_id: r for r in rows if r.event_id not in known}.values())
        if not fresh:
            return 0
        cursor.execute(_HEADS, [sorted({r.chain for r in fresh})])
        heads = {chain: (seq, bytes(hashed)) for chain, seq, hashed in cursor.fetchall()}
        columns = _chained(fresh, heads)
        cursor.execute(_INSERT, columns)
        moved = sorted({r.chain for r in fresh})
        cursor.execute(_ADVANCE, [moved, [heads[c][0] for c in moved], [heads[c][1] for c in moved]])
    return len(fresh)


def _chained(rows: Sequence[Row], heads: dict[uuid.UUID, tuple[int, bytes]]) -> list[list[Any]]:
    """Return the columns to insert, and move `heads` on."""
    recorded_at = now()
    columns: dict[str, list[Any]] = {name: [] for name in _COLUMNS}
    for row in rows:
        seq, prev_hash = heads.get(row.chain, (0, FIRST))
        seq += 1
        hashed = row_hash(row, seq, recorded_at, prev_hash)
        heads[row.chain] = (seq, hashed)
        for name in _COLUMNS[:-5]:
            value = getattr(row, name)
            columns[name].append(json.dumps(value) if _TYPES.get(name) == "jsonb" and value is not None else value)
        for name, value in (
            ("recorded_at", recorded_at), ("seq", seq), ("prev_hash", prev_hash), ("hash", hashed),
            ("search", " ".join(row.words)),
        ):  # fmt: skip
            columns[name].append(value)
    return [columns[name] for name in _COLUMNS]
