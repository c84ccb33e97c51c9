"""May this actor start or cancel a build?"""

from __future__ import annotations

import uuid

from imagefactory.domain.identity.permissions import Permission
from imagefactory.domain.identity.policies import may
from imagefactory.kernel.actor import Actor
from imagefactory.kernel.authorize import Verdict


def may_start(actor: Actor, project_id: uuid.UUID) -> Verdict:
    return may(actor, Permission.BUILD_START, project_id)


def may_cancel(actor: Actor, project_id: uuid.UUID) -> Verdict:
    return may(actor, Permission.BUILD_CANCEL, project_id)


def may_download_log(actor: Actor, project_id: uuid.UUID) -> Verdict:
    return may(actor, Permission.LOG_DOWNLOAD, project_id)
