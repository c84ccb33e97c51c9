"""May this actor start or cancel a build?"""

from __future__ import annotations

import uuid

from imagefactory.domain.identity.permissions import Capability, Permission
from imagefactory.domain.identity.policies import is_entitled, may
from imagefactory.kernel.actor import Actor
from imagefactory.kernel.authorize import Verdict


def may_start(actor: Actor, project_id: uuid.UUID) -> Verdict:
    """A build starts in an entitled tenant only."""
    entitled = is_entitled(actor, Capability.BUILD)
    return may(actor, Permission.BUILD_START, project_id) if entitled is True else entitled


def may_start_anywhere(actor: Actor) -> bool:
    """Whether there is any project to start builds in; for navigation, never for a decision."""
    return is_entitled(actor, Capability.BUILD) is True and actor.may_anywhere(Permission.BUILD_START)


def may_cancel(actor: Actor, project_id: uuid.UUID) -> Verdict:
    return may(actor, Permission.BUILD_CANCEL, project_id)


def may_download_log(actor: Actor, project_id: uuid.UUID) -> Verdict:
    return may(actor, Permission.LOG_DOWNLOAD, project_id)
