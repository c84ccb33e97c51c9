"""The text box of a list of builds: `status:failed branch:main some words`, read into a filter, chips and a hint."""

from __future__ import annotations

import dataclasses
import shlex
import uuid
from urllib.parse import urlencode

from imagefactory.domain.builds.selectors import BuildFilter
from imagefactory.domain.builds.states import BuildStatus
from imagefactory.domain.projects.errors import ProjectNotFound
from imagefactory.domain.projects.selectors import get_project
from imagefactory.kernel.actor import Actor
from imagefactory.methods.registry import METHODS

KEYS = ("status", "branch", "method", "author", "project")
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


def _terms(text: str) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError:  # an open quotation mark
        return text.split()


def _quoted(terms: list[str]) -> str:
    return " ".join(f'"{t}"' if " " in t else t for t in terms)


def read(actor: Actor, text: str, project_id: uuid.UUID | None = None) -> Query:
    """Read the text of the box; what is wrong becomes a hint, and the rest still filters."""
    text = text.replace("\0", "")[:MAX_LENGTH].strip()
    terms = _terms(text)
    fields: dict[str, object] = {"project_id": project_id}
    words: list[str] = []
    hints: list[str] = []
    for term in terms:
        key, colon, value = term.partition(":")
        if not colon or not value or "/" in key:
            words.append(term)
        elif key not in KEYS:
            hints.append(f"There is no filter {key}: use {', '.join(KEYS)}, or words.")
        else:
            hints += _take(actor, key, value, fields, project_id)
    fields["text"] = " ".join(words)
    chips = [Chip(t, _quoted(terms[:i] + terms[i + 1 :])) for i, t in enumerate(terms)]
    return Query(text, BuildFilter(**fields), chips, " ".join(hints))  # type: ignore[arg-type]


def _take(actor: Actor, key: str, value: str, fields: dict[str, object], project_id: uuid.UUID | None) -> list[str]:
    """Put one term into the filter; return a hint when its value is none."""
    if key == "status":
        if value not in set(BuildStatus):
            return [f"There is no status {value}: use {', '.join(BuildStatus)}."]
        fields["status"] = value
    elif key == "branch":
        fields["ref"] = value
    elif key == "method":
        if value not in METHODS:
            return [f"There is no method {value}: use {', '.join(METHODS)}."]
        fields["method"] = value
    elif key == "author":
        if value != "me":
            return ["author: takes me; search for other people's builds by words."]
        fields["author"] = actor.user_id
    elif project_id is None:
        try:
            fields["project_id"] = get_project(actor, value).id
        except ProjectNotFound:
            return [f"There is no project {value}, or you may not see it."]
    return []
