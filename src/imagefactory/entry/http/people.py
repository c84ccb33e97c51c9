"""What pages and API both need about a team: its projects by name and id, and whether links are shown for lack of mail."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping

from imagefactory.domain.identity.selectors.members import MemberView
from imagefactory.domain.notifications.selectors import mail_configured
from imagefactory.domain.projects.selectors import ProjectView, get_project, projects_by_id
from imagefactory.kernel.actor import Actor


def project_ids(actor: Actor, names: Iterable[str]) -> list[uuid.UUID]:
    """Return the ids of projects named by slug or id.

    Raises ProjectNotFound, also for one that the actor may not see.
    """
    return [get_project(actor, name[:64]).id for name in list(names)[:200]]


def projects_of(actor: Actor, members: Iterable[MemberView]) -> Mapping[uuid.UUID, ProjectView]:
    """Return the projects in which these members hold roles, as far as the actor may see them; one query."""
    wanted = {h.project_id for m in members for h in m.roles if h.project_id}
    return projects_by_id(actor, wanted) if wanted else {}


def shows_links() -> bool:
    """Whether the one who invites is shown the link, because this installation sends no mail."""
    return not mail_configured()
