"""May this actor start or cancel a build?"""

from __future__ import annotations

import uuid

from imagefactory.domain.identity.permissions import REASONS, Permission, grantors
from imagefactory.kernel.actor import Actor
from imagefactory.kernel.authorize import Refusal, Verdict


def may_start(actor: Actor, project_id: uuid.UUID) -> Verdict:
    return _may(actor, Permission.BUILD_START, project_id)


def may_cancel(actor: Actor, project_id: uuid.UUID) -> Verdict:
    return _may(actor, Permission.BUILD_CANCEL, project_id)


def may_download_log(actor: Actor, project_id: uuid.UUID) -> Verdict:
    return _may(actor, Permission.LOG_DOWNLOAD, project_id)


def _may(actor: Actor, permission: Permission, project_id: uuid.UUID) -> Verdict:
    if actor.may(permission, project_id):
        return True
    return Refusal(str(permission), REASONS[permission], grantors(permission))
