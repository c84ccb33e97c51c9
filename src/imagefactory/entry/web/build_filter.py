"""The text box of a list of builds: `status:failed branch:main some words`, read into a filter, chips and a hint."""

from __future__ import annotations

import dataclasses
import datetime as dt
import shlex
import uuid
from collections.abc import Callable, Iterable, Mapping
from typing import Final
from urllib.parse import urlencode

from imagefactory.domain.builds.selectors import BuildFilter
from imagefactory.domain.builds.states import BuildStatus, Trigger
from imagefactory.domain.projects.errors import ProjectNotFound
from imagefactory.domain.projects.selectors import get_project
from imagefactory.kernel.actor import Actor
from imagefactory.methods.registry import METHODS

Reader = Callable[[Actor, str], tuple[str, object]]
MAX_LENGTH = 200


@dataclasses.dataclass(frozen=True)
class Chip:
    """One term of the query, and the query without it."""

    text: str
    without: str


@dataclasses.dataclass(frozen=True)
class Query:
    """What was asked, as typed and as read; `hint` says what was not understood, and is empty otherwise."""

    text: str
    wanted: BuildFilter
    chips: list[Chip]
    hint: str

    @property
    def active(self) -> bool:
        return bool(self.chips)

    def address(self, **more: str) -> str:
        """Return the query string of this list with some parameters more."""
        return "?" + urlencode({k: v for k, v in {"q": self.text, **more}.items() if v})


def terms_of(text: str) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError:  # an open quotation mark
        return text.split()


def quoted(terms: list[str]) -> str:
    return " ".join(f'"{t}"' if " " in t else t for t in terms)


def read(actor: Actor, text: str, project_id: uuid.UUID | None = None) -> Query:
    """Read the text of the box; what is wrong becomes a hint, and the rest still filters."""
    text = text.replace("\0", "")[:MAX_LENGTH].strip()
    terms = terms_of(text)
    fields: dict[str, object] = {"project_id": project_id}
    words: list[str] = []
    hints: list[str] = []
    for term in terms:
        key, colon, value = term.partition(":")
        if not colon or not value or "/" in key:
            words.append(term)
        elif key not in _READERS:
            hints.append(f"There is no filter {key}: use {', '.join(_READERS)}, or words.")
        elif not (key == "project" and project_id):  # a project's own list stays within the project
            try:
                field, meant = _READERS[key](actor, value)
                fields[field] = meant
            except _Hint as hint:
                hints.append(str(hint))
    fields["text"] = " ".join(words)
    chips = [Chip(t, quoted(terms[:i] + terms[i + 1 :])) for i, t in enumerate(terms)]
    return Query(text, BuildFilter(**fields), chips, " ".join(hints))  # type: ignore[arg-type]


class _Hint(Exception):
    """A value that a key does not take; the text is the sentence for the person."""


def _one_of(what: str, field: str, known: Iterable[str]) -> Reader:
    def read_value(actor: Actor, value: str) -> tuple[str, object]:
        if value not in known:
            raise _Hint(f"There is no {what} {value}: use {', '.join(known)}.")
        return field, value

    return read_value


def _day(field: str) -> Reader:
    def read_value(actor: Actor, value: str) -> tuple[str, object]:
        try:
            return field, dt.datetime.strptime(value, "%Y-%m-%d").replace(tzinfo=dt.UTC)
        except ValueError:
            raise _Hint(f"{field}: takes a day such as 2026-11-25.") from None

    return read_value


def _author(actor: Actor, value: str) -> tuple[str, object]:
    if value != "me":
        raise _Hint("author: takes me; search for other people's builds by words.")
    return "author", actor.user_id


def _project(actor: Actor, value: str) -> tuple[str, object]:
    try:
        return "project_id", get_project(actor, value).id
    except ProjectNotFound:
        raise _Hint(f"There is no project {value}, or you may not see it.") from None


_READERS: Final[Mapping[str, Reader]] = {
    "status": _one_of("status", "status", tuple(BuildStatus)),
    "branch": lambda _, value: ("ref", value),
    "method": _one_of("method", "method", tuple(METHODS)),
    "author": _author,
    "project": _project,
    "trigger": _one_of("trigger", "trigger", tuple(Trigger)),
    "since": _day("since"),
    "until": _day("until"),
}
