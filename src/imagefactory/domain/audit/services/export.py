"""Hand the trail out as CSV, JSON or JSON lines; the export is itself an entry."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
from collections.abc import Iterable, Iterator
from typing import Any, Final

from django.db import transaction

from imagefactory.domain.audit import events
from imagefactory.domain.audit.selectors import AuditFilter, EntryView, Scope, count, every_entry
from imagefactory.kernel.actor import Actor
from imagefactory.kernel.errors import InvalidRequest
from imagefactory.kernel.outbox.emit import emit

TYPES: Final = {"csv": "text/csv; charset=utf-8", "json": "application/json", "jsonl": "application/x-ndjson"}
_CHUNK: Final = 200  # entries in one piece of the answer
_COLUMNS: Final = tuple(f.name for f in dataclasses.fields(EntryView))
# What a spreadsheet takes for a formula at the beginning of a cell.
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n")


def export_entries(actor: Actor, scope: Scope, wanted: AuditFilter, form: str) -> tuple[int, Iterator[bytes]]:
    """Return how many entries there are, and their text in pieces; memory stays the same however many.

    Raises InvalidRequest for a format that there is not.
    """
    if form not in TYPES:
        raise InvalidRequest("The format is csv, json or jsonl.")
    rows = count(scope, wanted)
    tenant = actor.tenant_id if scope.clauses else None
    with transaction.atomic():
        emit(actor, events.AuditExported(tenant, form, rows, wanted.named()))
    entries = every_entry(scope, wanted)
    return rows, {"csv": _csv, "json": _json, "jsonl": _jsonl}[form](entries)


def _plain(entry: EntryView) -> dict[str, Any]:
    values = {name: getattr(entry, name) for name in _COLUMNS}
    for name in ("occurred_at", "recorded_at"):
        values[name] = values[name].isoformat()
    return {k: str(v) if k.endswith("_id") and v is not None else v for k, v in values.items()}


def safe_cell(value: object) -> str:
    """Return a cell that no spreadsheet runs: what looks like a formula gets an apostrophe before it."""
    text = "" if value is None else value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return f"'{text}" if text.startswith(_FORMULA) else text


def _pieces(entries: Iterable[EntryView]) -> Iterator[list[EntryView]]:
    held: list[EntryView] = []
    for entry in entries:
        held.append(entry)
        if len(held) == _CHUNK:
            yield held
            held = []
    if held:
        yield held


def _csv(entries: Iterable[EntryView]) -> Iterator[bytes]:
    yield (",".join(_COLUMNS) + "\r\n").encode()
    for piece in _pieces(entries):
        out = io.StringIO()
        writer = csv.writer(out)
        writer.writerows([safe_cell(v) for v in _plain(e).values()] for e in piece)
        yield out.getvalue().encode()


def _jsonl(entries: Iterable[EntryView]) -> Iterator[bytes]:
    for piece in _pieces(entries):
        yield "".join(json.dumps(_plain(e), ensure_ascii=False) + "\n" for e in piece).encode()


def _json(entries: Iterable[EntryView]) -> Iterator[bytes]:
    yield b"[\n"
    begun = False
    for piece in _pieces(entries):
        text = ",\n".join(json.dumps(_plain(e), ensure_ascii=False) for e in piece)
        yield (",\n" if begun else "").encode() + text.encode()
        begun = True
    yield b"\n]\n"
