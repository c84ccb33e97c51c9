"""Groups and roles as people write them, one a line: `group = role project`, with `*` for everyone."""

from __future__ import annotations

import uuid
from collections.abc import Sequence

from imagefactory.domain.identity import selectors
from imagefactory.domain.identity.permissions import Permission, Role
from imagefactory.domain.identity.selectors import RoleRow
from imagefactory.domain.projects.selectors import get_project, project_slug, projects_by_id
from imagefactory.kernel import scope
from imagefactory.kernel.actor import Actor, ActorKind
from imagefactory.kernel.errors import NotFound, ValidationFailed

_SHAPE = "Write one line for each: group = role project, such as builders = member checkout-api; * stands for everyone."


def parse(actor: Actor, tenant_id: uuid.UUID | None, text: str) -> list[RoleRow]:
    """Return the rows of a text. In an installation's provider a place is `team/project`, and a team alone for owners.

    Raises ValidationFailed for the field `roles`, with the line that is wrong.
    """
    rows = []
    for line in (each.strip() for each in text.splitlines()[:400]):
        if line:
            group, equals, rest = line.rpartition(" = ")
            words = rest.split()
            if not equals or not group.strip() or not 1 <= len(words) <= 2:
                raise ValidationFailed({"roles": [f"The line {line[:80]!r} cannot be read. {_SHAPE}"]})
            rows.append(_row(actor, tenant_id, group.strip(), words[0], words[1] if len(words) > 1 else ""))
    return rows


def row_of(actor: Actor, tenant_id: uuid.UUID | None, group: str, role: str, place: str) -> RoleRow:
    """Return one row out of its parts; `place` as in a line.

    Raises ValidationFailed for the field `roles`.
    """
    return _row(actor, tenant_id, group.strip() or "*", role, place)


def _row(actor: Actor, tenant_id: uuid.UUID | None, group: str, role: str, place: str) -> RoleRow:
    project = place
    if tenant_id is None:
        slug, _, project = place.partition("/")
        found = selectors.tenant_named(actor, slug)
        if found is None:
            raise ValidationFailed(
                {"roles": [f"There is no team {slug[:60]!r}. Write team/project, or the team for owners."]}
            )
        tenant_id = found
    project_id = None
    if project:
        # Not the system's actor, who sees the projects of every team: the short name might be found in another one.
        sees = frozenset({str(Permission.PROJECT_VIEW)})
        reader = Actor(ActorKind.USER, "sign-in settings", tenant_id=tenant_id, tenant_permissions=sees)
        try:
            with scope.tenant(tenant_id):
                project_id = get_project(reader, project).id
        except NotFound:
            raise ValidationFailed({"roles": [f"There is no project {project[:60]!r} in the team."]}) from None
    elif role != Role.OWNER:
        raise ValidationFailed({"roles": [f"Say in which project {group[:60]!r} gets the role {role[:20]}. {_SHAPE}"]})
    return RoleRow(tenant_id, "" if group == "*" else group, role, project_id)


def own_projects(actor: Actor, ids: Sequence[uuid.UUID]) -> list[uuid.UUID]:
    """Return the ids when all are projects that the actor sees.

    Raises ValidationFailed for the field `projects`.
    """
    if len(projects_by_id(actor, set(ids))) != len(set(ids)):
        raise ValidationFailed({"projects": ["One of these projects does not exist in the team."]})
    return list(ids)


def written(rows: Sequence[RoleRow], *, of_installation: bool) -> str:
    """Return the rows as lines."""
    return "\n".join(f"{row.group or '*'} = {row.role}{place(row, of_installation=of_installation)}" for row in rows)


def place(row: RoleRow, *, of_installation: bool) -> str:
    """Return where a row holds, with a blank before it; nothing for the whole team of a team's own provider."""
    with scope.tenant(row.tenant_id):
        project = project_slug(row.project_id) if row.project_id else ""
    if not of_installation:
        return f" {project}" if project else ""
    return f" {selectors.tenant_slug(row.tenant_id)}{f'/{project}' if project else ''}"
