"""Which registry actions an actor gets on a repository; the token service and the pull decision both ask here."""

from __future__ import annotations

import uuid

from imagefactory.domain.identity.permissions import CAPABILITY_NAMES, Capability, Permission
from imagefactory.domain.identity.states import TENANT_STOPS
from imagefactory.kernel.actor import Actor, ActorKind
from imagefactory.kernel.authorize import Refusal
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


def write_refusal(actor: Actor, repository: str) -> Refusal:
    """Return why someone who may pull from a repository may not push to it or delete there."""
    permission = str(Permission.BUILD_START)
    if repository.partition("/")[0] == LIBRARY:
        return Refusal(
            permission, "Base images are put into the library by the factory alone.", "Push to your project."
        )
    if actor.tenant_state in TENANT_STOPS:
        return Refusal(permission, *TENANT_STOPS[actor.tenant_state], code="tenant_suspended")
    if Capability.BUILD not in actor.capabilities:
        reason = (
            f"Team {actor.tenant_slug} is not entitled to {CAPABILITY_NAMES[Capability.BUILD]}, so nothing is pushed."
        )
        return Refusal(permission, reason, "A system administrator can switch it on.")
    reason = f"You may pull from {repository}, and not push to it or delete there."
    return Refusal(
        permission, reason, "Pushing comes with the role Member, and with a key whose scope has build:start."
    )
