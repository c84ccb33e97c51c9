"""Entries of the audit trail as lines of a list: who, what in words, a link to the object, what changed."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
import re
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from imagefactory.domain.audit.selectors import EntryView
from imagefactory.domain.identity.selectors import names_of, tenant_slugs
from imagefactory.domain.projects.selectors import projects_by_id
from imagefactory.entry.web.audit_words import sentence
from imagefactory.kernel.actor import Actor

_AN_ID = re.compile("[0-9a-f-]{36}")
_NOUNS = {
    "tenant": "team",
    "api_key": "API key",
    "service_account": "service account",
    "identity_provider": "identity provider",
    # What a refusal says that never came to an object: the names in the page's address.
    "provider": "identity provider",
    "account": "service account",
    "user": "person",
    "slug": "team",
    "kind": "identity provider",
}


@dataclasses.dataclass(frozen=True)
class Change:
    """One field that is different after than before."""

    name: str
    before: str
    after: str


@dataclasses.dataclass(frozen=True)
class AuditRow:
    """One line, and what it shows when it is opened."""

    id: uuid.UUID
    at: dt.datetime
    who: str
    whose: str
    what: str
    kind: str
    label: str
    url: str
    result: str
    address: str
    tenant: str
    changes: list[Change]
    facts: list[tuple[str, str]]


def _words(value: object) -> str:
    if value is None or value == "":
        return "nothing"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _changes(before: Mapping[str, Any] | None, after: Mapping[str, Any] | None) -> list[Change]:
    old, new = before or {}, after or {}
    return [
        Change(name.replace("_", " "), _words(old.get(name)), _words(new.get(name)))
        for name in dict.fromkeys((*old, *new))
    ]


_SHOWN_APART = {"project_id", "reason", "message", "count"}


def _facts(e: EntryView) -> list[tuple[str, str]]:
    named = [
        ("Type", e.type), ("Reason", e.reason), ("Object id", e.object_id), ("Person", str(e.actor_id or "")),
        ("API key", str(e.key_id or "")), ("Request id", e.request_id), ("Correlation", e.correlation_id),
        ("Entry", f"{e.seq}, event {e.event_id}"), ("Hash", e.hash),
    ]  # fmt: skip
    rest = [(k.replace("_", " ").capitalize(), _words(v)) for k, v in e.details.items() if k not in _SHOWN_APART]
    return [(k, v) for k, v in (*rest, *named) if v and v != "nothing"]


def _url(e: EntryView, tenant: str, slugs: Mapping[uuid.UUID, str]) -> str:
    """Return the page of the object, where it has one and its project is still there."""
    slug = slugs.get(e.project_id) if e.project_id else None
    if slug is None:
        return ""
    base = f"/t/{tenant}/p/{slug}/"
    number = e.object_label.removeprefix("#").partition(" ")[0]
    if e.object_kind == "build" and number.isdecimal():
        return f"{base}builds/{number}"
    if e.object_kind == "image" and e.object_label.startswith(f"{tenant}/"):
        return f"/t/{tenant}/images/{e.object_label.partition('/')[2]}"
    return {"project": base, "credential": f"{base}settings/credentials"}.get(e.object_kind, "")


def _names(entries: Sequence[EntryView]) -> dict[str, str]:
    """Return the names of the people that entries are about and say no label of, by id."""
    wanted = {e.object_id for e in entries if e.object_kind in {"person", "user"} and not _label(e)}
    return {str(k): name for k, name in names_of({uuid.UUID(i) for i in wanted if _AN_ID.fullmatch(i)}).items()}


def _label(e: EntryView) -> str:
    """Return the name of the object; an id is none, and stands among the facts."""
    return "" if _AN_ID.fullmatch(e.object_label) else e.object_label


def _row(e: EntryView, url: str, tenant: str, names: Mapping[str, str]) -> AuditRow:
    return AuditRow(
        e.event_id, e.occurred_at, e.actor_name, e.actor_email or ("" if e.actor_kind == "user" else e.actor_kind),
        sentence(e.type, e.details, e.before, e.after), _NOUNS.get(e.object_kind, e.object_kind),
        _label(e) or names.get(e.object_id, ""), url,
        e.result, e.address, tenant, _changes(e.before, e.after), _facts(e),
    )  # fmt: skip


def rows(actor: Actor, entries: Sequence[EntryView]) -> list[AuditRow]:
    """Return the lines of a tenant's entries; one query for all projects that they link to."""
    wanted = {e.project_id for e in entries if e.project_id}
    slugs = {p.id: p.slug for p in projects_by_id(actor, wanted).values()} if wanted else {}
    names = _names(entries)
    return [_row(e, _url(e, actor.tenant_slug, slugs), "", names) for e in entries]


def all_rows(entries: Sequence[EntryView]) -> list[AuditRow]:
    """Return the lines of entries of all tenants; nothing is linked, as an administrator is in none of them."""
    slugs = tenant_slugs({e.tenant_id for e in entries if e.tenant_id})
    named = [(e, slugs.get(e.tenant_id, str(e.tenant_id)) if e.tenant_id else "") for e in entries]
    names = _names(entries)
    return [_row(e, "", tenant, names) for e, tenant in named]
