"""Read the trail within what the actor may see: pages by keyset both ways, filters, full text, an honest total."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
import re
import uuid
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from django.db import connection

from imagefactory.domain.audit.policies import AUDIT_VIEW, may_view, may_view_installation
from imagefactory.domain.audit.words import quoted, split_words
from imagefactory.kernel.actor import Actor
from imagefactory.kernel.authorize import authorize
from imagefactory.kernel.clock import now
from imagefactory.kernel.errors import InvalidRequest, TenantRequired

MAX_PAGE: Final = 200
MAX_TEXT: Final = 200
_CURSOR = re.compile(r"(-?[0-9]{1,17})\.([0-9a-f]{32})")
_EPOCH: Final = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_HEX_START = re.compile(r"[0-9a-f]{8}-[0-9a-f-]*")
RESULTS: Final = ("done", "refused", "failed")


@dataclasses.dataclass(frozen=True)
class EntryView:
    """An entry as the doors show it."""

    event_id: uuid.UUID
    occurred_at: dt.datetime
    recorded_at: dt.datetime
    seq: int
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
    hash: str


_NAMES: Final = tuple(f.name for f in dataclasses.fields(EntryView))
_COLUMNS: Final = ", ".join("encode(hash, 'hex')" if n == "hash" else n for n in _NAMES)
_JSON: Final = ("before", "after", "details")


@dataclasses.dataclass(frozen=True)
class AuditFilter:
    """What is wanted; empty fields want everything.

    `since` is included and `until` is not. `user` is a person's or key's id, an e-mail address or words of a name;
    `action` a type such as `build.started` or the beginning of one, such as `build.`; `resource` an object's id; `text`
    words, and beginnings of words (`_text_words`).
    """

    since: dt.datetime | None = None
    until: dt.datetime | None = None
    user: str = ""
    action: str = ""
    kind: str = ""
    resource: str = ""
    project_id: uuid.UUID | None = None
    result: str = ""
    address: str = ""
    text: str = ""

    def named(self) -> dict[str, str]:
        """Return the filters that are set, as text; for the record of an export."""
        return {f.name: str(v)[:200] for f in dataclasses.fields(self) if (v := getattr(self, f.name))}


@dataclasses.dataclass(frozen=True)
class Page:
    """Entries, newest first, with the cursors of the neighbouring pages, empty where there is none."""

    items: list[EntryView]
    older: str = ""
    newer: str = ""


@dataclasses.dataclass(frozen=True)
class Total:
    """How many entries fit; `estimate` says that the database's statistics say so and nobody counted."""

    count: int
    estimate: bool


@dataclasses.dataclass(frozen=True)
class Scope:
    """What may be read: made by `tenant_scope` or `installation_scope` and by nothing else."""

    clauses: tuple[str, ...]
    values: tuple[Any, ...]


def tenant_scope(actor: Actor) -> Scope:
    """Return the actor's tenant, or in it the projects in which they may read the trail.

    Raises TenantRequired, PermissionDenied.
    """
    if actor.tenant_id is None:
        raise TenantRequired("Say which tenant this is for: set the header X-Tenant-ID to its slug or id.")
    authorize(may_view(actor))
    within = actor.projects_with(AUDIT_VIEW)
    if within is None:
        return Scope(("tenant_id = %s",), (actor.tenant_id,))
    return Scope(("tenant_id = %s", "project_id = any(%s)"), (actor.tenant_id, sorted(within)))


def installation_scope(actor: Actor) -> Scope:
    """Return everything, for system administrators.

    Raises PermissionDenied.
    """
    authorize(may_view_installation(actor))
    return Scope((), ())


def _tsquery(words: Sequence[str], *, prefix: bool) -> str:
    return " & ".join(f"{quoted(w)}{':*' if prefix else ''}" for w in words)


def _text_words(text: str) -> tuple[list[str], list[str]]:
    """Return the words that must be there, and the beginnings of words.

    A term with a digit in it is taken for the beginning of an id, a version or an address, and so is one that ends with
    an asterisk. Others are whole words: the beginning of a frequent word would read half of the index.
    """
    words: list[str] = []
    starts: list[str] = []
    for term in text.lower().split()[:20]:
        bare = term.rstrip("*")
        # The beginning of an id: the index has it without hyphens.
        found = [bare.replace("-", "")] if _HEX_START.fullmatch(bare) else split_words(bare)
        if found and "@" in found[0]:
            found = found[:1]  # the parts of an e-mail address are in half of all entries
        begins = term != bare or any(c.isdigit() for c in bare)
        (starts if begins else words).extend(found)
    return words[:20], starts[:20]


def _user(user: str, clauses: list[str], values: list[Any], words: list[str], starts: list[str]) -> None:
    try:
        person = uuid.UUID(user)
    except ValueError:
        bare = user.lower().rstrip("*")
        named = [bare] if "@" in bare else split_words(bare)[:20]
        (starts if user.endswith("*") else words).extend(named)
        # As a case, which the planner takes for a coin: it would take the comparison itself for one row in 200 and read
        # every entry of a busy person to find the newest.
        clauses.append("case when lower(actor_email) = %s or lower(actor_name) like %s then true end")
        like = bare.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
        values += [bare, f"%{like}%"]
        return
    words.append(person.hex)
    clauses.append("(actor_id = %s or key_id = %s)")
    values += [person, person]


def _action(action: str) -> tuple[bool, list[str]]:
    """Return whether the text is a whole type, and the words that an entry of it surely has."""
    exact = "." in action and not action.endswith(".")
    whole = action if exact else action.rpartition(".")[0]
    return exact, split_words(whole)


def _where(scope: Scope, wanted: AuditFilter) -> tuple[list[str], list[Any]]:
    """Return conditions and values. Words of exact filters go through the text index too, and the column decides."""
    clauses, values = list(scope.clauses), list(scope.values)
    words, starts = _text_words(wanted.text[:MAX_TEXT])
    if wanted.text.strip() and not words and not starts:
        clauses.append("false")  # signs only: no entry has a word of them
    for clause, value in (
        ("occurred_at >= %s", wanted.since), ("occurred_at < %s", wanted.until),
        ("project_id = %s", wanted.project_id), ("result = %s", wanted.result), ("object_kind = %s", wanted.kind),
        ("object_id = %s", wanted.resource), ("address = %s", wanted.address),
    ):  # fmt: skip
        if value:
            clauses.append(clause)
            values.append(value)
    if wanted.user:
        _user(wanted.user[:MAX_TEXT], clauses, values, words, starts)
    if wanted.action:
        exact, more = _action(wanted.action[:80])
        clauses.append("type = %s" if exact else "starts_with(type, %s)")
        values.append(wanted.action[:80])
        words += more
    words += split_words(wanted.resource[:MAX_TEXT])[:20] + ([wanted.address.lower()[:64]] if wanted.address else [])
    if query := " & ".join(q for q in (_tsquery(words, prefix=False), _tsquery(starts, prefix=True)) if q):
        clauses.append("search @@ %s::tsquery")
        values.append(query)
    return clauses, values


def _sql(columns: str, clauses: Sequence[str], end: str = "") -> str:
    where = f" where {' and '.join(clauses)}" if clauses else ""
    return f"select {columns} from audit_entry{where} {end}"  # noqa: S608 - parts of ours, values apart


def cursor_of(entry: EntryView) -> str:
    """Return the place of an entry in the order of time."""
    return f"{(entry.occurred_at - _EPOCH) // dt.timedelta(microseconds=1)}.{entry.event_id.hex}"


def _place(cursor: str) -> tuple[dt.datetime, uuid.UUID]:
    match = _CURSOR.fullmatch(cursor)
    try:
        if match:
            return _EPOCH + dt.timedelta(microseconds=int(match[1])), uuid.UUID(match[2])
    except OverflowError:
        pass
    raise InvalidRequest("The cursor is not one that a list of audit entries gave. Begin again without it.")


def _windows(newest: dt.datetime, since: dt.datetime | None) -> Iterator[tuple[list[str], list[Any]]]:
    """Yield conditions that cut time into windows, newest first: a month, four more, sixteen more, all the rest.

    The text index knows no order: asked for the newest 50 of a word, it reads every entry of that word. A window ends that
    after a month where the word is frequent, and costs three short questions where it is rare.
    """
    end: dt.datetime | None = None
    for months in (1, 5, 21):
        start = newest - dt.timedelta(days=31 * months)
        if since and start <= since:
            break
        yield ["occurred_at >= %s"] + (["occurred_at < %s"] if end else []), [start, *([end] if end else [])]
        end = start
    yield (["occurred_at < %s"], [end]) if end else ([], [])


def list_entries(scope: Scope, wanted: AuditFilter, *, before: str = "", after: str = "", limit: int = 50) -> Page:
    """Return a page, newest first: the newest of all, or those next to a cursor, older (`before`) or newer (`after`).

    Raises InvalidRequest for a cursor that is none.
    """
    limit = max(1, min(limit, MAX_PAGE))
    clauses, values = _where(scope, wanted)
    place = _place(before or after) if before or after else None
    if place:
        clauses.append(f"(occurred_at, event_id) {'>' if after else '<'} (%s, %s)")
        values += place
    order = "asc" if after else "desc"
    searched = not after and any(c.startswith("search @@") for c in clauses)
    newest = min(filter(None, (place[0] if place else None, wanted.until, now())))
    found: list[EntryView] = []
    for bounds, moments in _windows(newest, wanted.since) if searched else [([], [])]:
        end = f"order by occurred_at {order}, event_id {order} limit {limit + 1 - len(found)}"
        found += _entries(_sql(_COLUMNS, [*clauses, *bounds], end), [*values, *moments])
        if len(found) > limit:
            break
    more, items = len(found) > limit, found[:limit]
    if after:
        items.reverse()
    if not items:
        return Page([])
    has_older, has_newer = (True, more) if after else (more, bool(before))
    return Page(items, cursor_of(items[-1]) if has_older else "", cursor_of(items[0]) if has_newer else "")


def _entries(statement: str, values: Sequence[Any]) -> list[EntryView]:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        rows = [dict(zip(_NAMES, row, strict=True)) for row in cursor.fetchall()]
    return [EntryView(**r | {n: json.loads(r[n]) if isinstance(r[n], str) else r[n] for n in _JSON}) for r in rows]


def total(scope: Scope, wanted: AuditFilter, page: Page | None = None) -> Total:
    """Return how many entries fit: counted when the only page shows them all, else estimated by the planner."""
    if page and not page.older and not page.newer:
        return Total(len(page.items), estimate=False)
    clauses, values = _where(scope, wanted)
    with connection.cursor() as cursor:
        cursor.execute("explain (format json) " + _sql("1", clauses), values)
        found = cursor.fetchone()[0]
    plan = json.loads(found) if isinstance(found, str) else found
    return Total(max(int(plan[0]["Plan"]["Plan Rows"]), len(page.items) if page else 0), estimate=True)


def count(scope: Scope, wanted: AuditFilter) -> int:
    """Return how many entries fit, counted; as slow as reading them, so for exports only."""
    clauses, values = _where(scope, wanted)
    with connection.cursor() as cursor:
        cursor.execute(_sql("count(*)", clauses), values)
        return int(cursor.fetchone()[0])


def every_entry(scope: Scope, wanted: AuditFilter) -> Iterator[EntryView]:
    """Yield all entries that fit, newest first, a page at a time: no transaction stays open and memory stays the same."""
    page = list_entries(scope, wanted, limit=MAX_PAGE)
    while True:
        yield from page.items
        if not page.older:
            return
        page = list_entries(scope, wanted, before=page.older, limit=MAX_PAGE)
