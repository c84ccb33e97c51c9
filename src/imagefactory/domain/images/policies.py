"""Which registry actions an actor gets on a repository; the token service and the pull decision both ask here."""

from __future__ import annotations

import uuid

from imagefactory.domain.identity.permissions import Capability, Permission
from imagefactory.kernel.actor import Actor, ActorKind
from imagefactory.kernel.reference import LIBRARY


def registry_actions(actor: Actor, tenant: str, project_id: uuid.UUID | None) -> frozenset[str]:
    """Return what this actor may do in a repository of `tenant`: pull, push, both or nothing.

    Base images of the library can be pulled by everyone who is signed in and pushed by the system alone. A repository
    of another tenant, or of a project that the actor does not see, gives nothing.
    """
    if actor.kind is ActorKind.SYSTEM:
        return frozenset({"pull", "push", "delete"})
    if tenant == LIBRARY:
        return frozenset({"pull"}) if actor.subject_id else frozenset()
    if tenant != actor.tenant_slug or project_id is None:
        return frozenset()
    actions = set()
    if actor.may(Permission.ARTIFACT_DOWNLOAD, project_id):
        actions.add("pull")
        if actor.may(Permission.BUILD_START, project_id) and Capability.BUILD in actor.capabilities:
            actions.add("push")
    return frozenset(actions)
