"""The text box of the activity pages: `user:me result:refused some words`, read into a filter, chips and a hint."""

from __future__ import annotations

import dataclasses
import datetime as dt
import uuid
from collections.abc import Callable, Mapping
from typing import Final
from urllib.parse import urlencode

from imagefactory.domain.audit.selectors import RESULTS, AuditFilter
from imagefactory.domain.projects.errors import ProjectNotFound
from imagefactory.domain.projects.selectors import get_project
from imagefactory.entry.web.build_filter import Chip, quoted, terms_of
from imagefactory.kernel.actor import Actor

MAX_LENGTH: Final = 300
Reader = Callable[[Actor, str], object]


class _Hint(Exception):
    """A value that a key does not take; the text is the sentence for the person."""


@dataclasses.dataclass(frozen=True)
class Query:
    """What was asked, as typed and as read; `hint` says what was not understood, and is empty otherwise."""

    text: str
    wanted: AuditFilter
    chips: list[Chip]
    hint: str
    days: tuple[str, str]

    def address(self, **more: str) -> str:
        """Return the query string of this list with some parameters more."""
        return "?" + urlencode({k: v for k, v in {"q": self.text, **more}.items() if v})


def _day(actor: Actor, value: str) -> dt.datetime:
    try:
        return dt.datetime.strptime(value, "%Y-%m-%d").replace(tzinfo=dt.UTC)
    except ValueError:
        raise _Hint("since and until take a day such as 2026-11-25.") from None


def _last_day(actor: Actor, value: str) -> dt.datetime:
    """Return the end of the day: a person who says "until Friday" means Friday too."""
    try:
        return _day(actor, value) + dt.timedelta(days=1)
    except OverflowError:
        raise _Hint("until takes a day before the year 10000.") from None


def _result(actor: Actor, value: str) -> str:
    if value not in RESULTS:
        raise _Hint(f"There is no result {value}: use {', '.join(RESULTS)}.")
    return value


def _project(actor: Actor, value: str) -> uuid.UUID:
    try:
        return get_project(actor, value).id
    except ProjectNotFound:
        raise _Hint(f"There is no project {value}, or you may not see it.") from None


def _id(actor: Actor, value: str) -> uuid.UUID:
    try:
        return uuid.UUID(value)
    except ValueError:
        raise _Hint("project: takes a project's id here.") from None


def _text(actor: Actor, value: str) -> str:
    return value


_READERS: Final[Mapping[str, tuple[str, Reader]]] = {
    "user": ("user", lambda actor, value: str(actor.user_id) if value == "me" else value),
    "action": ("action", _text),
    "kind": ("kind", _text),
    "resource": ("resource", _text),
    "project": ("project_id", _project),
    "result": ("result", _result),
    "address": ("address", _text),
    "since": ("since", _day),
    "until": ("until", _last_day),
}


def with_days(text: str, given: Mapping[str, str]) -> str:
    """Return the text with the parameters `since`, `until` and `project` of the address as terms of it."""
    terms = terms_of(text.replace("\0", "")[:MAX_LENGTH])
    for key in ("since", "until", "project"):
        if key in given:
            terms = [t for t in terms if not t.startswith(f"{key}:")]
            if value := given[key].replace("\0", "").strip()[:64]:
                terms.append(f"{key}:{value}")
    return quoted(terms)


def read(actor: Actor, text: str, *, everywhere: bool = False) -> Query:
    """Read the text of the box; what is wrong becomes a hint, and the rest still filters."""
    text = text.replace("\0", "")[:MAX_LENGTH].strip()
    terms = terms_of(text)
    readers = {**_READERS, "project": ("project_id", _id)} if everywhere else _READERS
    fields: dict[str, object] = {}
    words: list[str] = []
    hints: list[str] = []
    days = {"since": "", "until": ""}
    for term in terms:
        key, colon, value = term.partition(":")
        if not colon or not value or key not in readers:
            words.append(term)  # an address, a digest and a time have colons too
            continue
        field, reader = readers[key]
        try:
            fields[field] = reader(actor, value)
            days |= {key: value} if key in days else {}
        except _Hint as hint:
            hints.append(str(hint))
    wanted = AuditFilter(**fields, text=" ".join(words))  # type: ignore[arg-type]
    chips = [Chip(t, quoted(terms[:i] + terms[i + 1 :])) for i, t in enumerate(terms)]
    return Query(text, wanted, chips, " ".join(dict.fromkeys(hints)), (days["since"], days["until"]))
