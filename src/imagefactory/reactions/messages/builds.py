"""What people are told of their builds."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

from imagefactory.domain.builds import selectors as builds
from imagefactory.domain.identity import selectors as identity
from imagefactory.domain.notifications.message import Message, Recipient
from imagefactory.domain.projects.selectors import projects_by_id
from imagefactory.kernel.errors import FactoryError
from imagefactory.reactions.envelope import Envelope
from imagefactory.reactions.messages.notice import Notice


def failed(e: Envelope) -> Iterator[Notice]:
    """Tell the person who started a build that it failed, as long as they may still see it."""
    build_id, project_id = uuid.UUID(str(e.payload["build_id"])), uuid.UUID(str(e.payload["project_id"]))
    person = builds.initiator(build_id)
    if person is None or e.tenant_id is None:
        return
    try:
        actor = identity.actor_for_user(person, str(e.tenant_id))
    except FactoryError:
        return  # the account is off, or its person left the team
    project = projects_by_id(actor, {project_id}).get(project_id)
    if project is None or not builds.may_see(actor, build_id):
        return
    number, stage = e.payload["number"], e.payload.get("stage")
    where = f"It stopped in the stage {stage}. " if stage else ""
    yield Notice(
        kind="builds.failed",
        recipients=[Recipient(actor.email, actor.name, person)],
        message=Message(
            f"Build #{number} of {project.name} failed",
            [f"{where}{e.payload.get('message') or 'The page of the build says why.'}"],
            ("Open the build", f"/t/{actor.tenant_slug}/p/{project.slug}/builds/{number}"),
        ),
    )
