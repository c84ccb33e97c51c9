"""What the forms and tables about keys and service accounts are made of."""

from __future__ import annotations

import dataclasses
import re
import uuid
from collections.abc import Collection, Iterable, Mapping, Sequence

from django.http import QueryDict

from imagefactory.domain.identity.selectors import KeyView
from imagefactory.domain.identity.states import KeyKind
from imagefactory.domain.projects.selectors import list_projects, projects_by_id
from imagefactory.entry.web.rights import LABELS
from imagefactory.kernel.actor import Actor
from imagefactory.kernel.errors import ValidationFailed

MAX_CHOICES = 200  # projects to choose from
OVERLAPS = (("0", "At once"), ("1", "In 1 hour"), ("24", "In 1 day"), ("168", "In 7 days"))


@dataclasses.dataclass(frozen=True)
class Row:
    """A key in a table."""

    key: KeyView
    state: str
    scope: str
    where: str


def key_rows(actor: Actor, keys: Sequence[KeyView]) -> list[Row]:
    """Return keys with their state and scope in words; projects are named where the actor sees them."""
    wanted = {p for k in keys for p in k.project_ids or ()}
    names = {p.id: p.name for p in projects_by_id(actor, wanted).values()} if wanted else {}
    return [Row(k, _state(k), _scope(k), _where(k, names)) for k in keys]


def _state(k: KeyView) -> str:
    if k.expired:
        return "Expired"
    if k.replaced:
        return "Replaced, ends then"
    return "The old key still works" if k.replaces_prefix else ""


def _scope(k: KeyView) -> str:
    count = len(k.scopes)
    if count == len(LABELS):
        return "Everything its owner may" if k.kind == KeyKind.PERSONAL else "Everything"
    return f"{count} permission{'s' if count != 1 else ''}"


def _where(k: KeyView, names: Mapping[uuid.UUID, str]) -> str:
    if k.project_ids is None and k.kind == KeyKind.SERVICE:
        return "wherever the account may"
    return where(k.project_ids, names)


def where(project_ids: Sequence[uuid.UUID] | None, names: Mapping[uuid.UUID, str]) -> str:
    """Return in which projects something holds, in a few words."""
    if project_ids is None:
        return "all projects"
    known = [names[p] for p in project_ids if p in names]
    rest = len(project_ids) - len(known[:3])
    said = ", ".join(known[:3])
    return said if not rest else f"{said} and {rest} more" if said else f"{rest} project{'s' if rest != 1 else ''}"


def project_names(actor: Actor, ids: Iterable[uuid.UUID]) -> dict[uuid.UUID, str]:
    """Return the names of those projects that the actor sees."""
    wanted = set(ids)
    return {p.id: p.name for p in projects_by_id(actor, wanted).values()} if wanted else {}


@dataclasses.dataclass(frozen=True)
class Choices:
    """The permissions and projects of a form, as (value, label, whether it is chosen)."""

    permissions: Sequence[tuple[str, str, bool]]
    projects: Sequence[tuple[str, str, bool]]
    some_permissions: bool
    some_projects: bool


def choices(
    actor: Actor,
    data: QueryDict | None,
    *,
    permissions: Collection[str] | None = None,
    projects: Collection[uuid.UUID] | None = None,
    chosen: Collection[str] = (),
    chosen_projects: Collection[uuid.UUID] | None = None,
) -> Choices:
    """Return what a form offers: within `permissions` and `projects`, with what was sent or `chosen` before marked."""
    ticked = set(data.getlist("scopes")) if data is not None else set(chosen)
    in_projects = set(data.getlist("projects")) if data is not None else {str(p) for p in chosen_projects or ()}
    offered = [p for p in list_projects(actor, limit=MAX_CHOICES)[0] if projects is None or p.id in projects]
    return Choices(
        [
            (str(p), label, str(p) in ticked)
            for p, label in LABELS.items()
            if permissions is None or str(p) in permissions
        ],
        [(str(p.id), p.name, str(p.id) in in_projects) for p in offered],
        (data.get("limit") == "some") if data is not None else bool(chosen),
        (data.get("where") == "some") if data is not None else chosen_projects is not None,
    )


def wanted_scopes(data: QueryDict) -> list[str] | None:
    """Return the permissions that a form asks for; None for all."""
    return data.getlist("scopes")[:100] if data.get("limit") == "some" else None


def wanted_projects(actor: Actor, data: QueryDict) -> list[uuid.UUID] | None:
    """Return the projects that a form asks for; None for all.

    Raises ValidationFailed for one that does not exist or that the actor does not see.
    """
    if data.get("where") != "some":
        return None
    try:
        wanted = [uuid.UUID(text) for text in data.getlist("projects")[:MAX_CHOICES]]
    except ValueError:
        wanted = [uuid.UUID(int=0)]
    if len(projects_by_id(actor, set(wanted))) != len(set(wanted)):
        raise ValidationFailed({"project_ids": ["One of these projects is not there any more. Reload the page."]})
    return wanted


def number(text: str) -> int:
    """Return a whole number as typed; what is none is -1, which every service refuses with its own sentence."""
    return int(text) if re.fullmatch("[0-9]{1,5}", text) else -1
