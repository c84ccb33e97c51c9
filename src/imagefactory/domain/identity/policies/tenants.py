"""May this actor change a tenant's profile, delete it, or bring it back?"""

from __future__ import annotations

import uuid

from imagefactory.domain.identity.permissions import Permission, Role
from imagefactory.domain.identity.policies.rights import may
from imagefactory.kernel.actor import Actor, ActorKind
from imagefactory.kernel.authorize import Refusal, Verdict
from imagefactory.kernel.errors import NotFound


def may_change_tenant(actor: Actor, tenant_id: uuid.UUID) -> Verdict:
    """Whoever may edit settings in the whole tenant, and administrators.

    Raises NotFound for whoever is not in the tenant.
    """
    if actor.kind is ActorKind.SYSTEM or actor.is_system_admin:
        return True
    if (outside := _outside(actor, tenant_id)) is not None:
        return outside
    verdict = may(actor, Permission.SETTINGS_EDIT)
    if verdict is not True and verdict.code == "permission_denied":
        return Refusal(
            verdict.permission, "Only owners change the settings of the team.", "An owner of the team can change them."
        )
    return verdict


def may_end_tenant(actor: Actor, tenant_id: uuid.UUID) -> Verdict:
    """Delete, keep or export a tenant: its owners signed in as people, in every state of it, and administrators.

    Raises NotFound for whoever is not in the tenant.
    """
    if actor.kind is ActorKind.SYSTEM or actor.is_system_admin:
        return True
    if (outside := _outside(actor, tenant_id)) is not None:
        return outside
    if actor.is_program:
        return Refusal("tenant:end", "A key does not export, delete or keep a team.", "An owner signs in to do that.")
    if actor.role == Role.OWNER:
        return True
    return Refusal(
        "tenant:delete", "Only owners export or delete the team.", "The role Owner carries it; an owner can assign it."
    )


def may_take_export(actor: Actor, tenant_id: uuid.UUID) -> Verdict:
    """An export holds what only the tenant's people may read, so it is for its owners, whoever else runs the installation.

    Raises NotFound for whoever is not in the tenant.
    """
    if actor.tenant_id != tenant_id:
        if not actor.sees_installation:
            raise NotFound("tenant")
        return Refusal("tenant:export", "An export is handed to owners of the team only.", "An owner can download it.")
    if actor.is_program:
        return Refusal("tenant:end", "A key does not export, delete or keep a team.", "An owner signs in to do that.")
    if actor.role == Role.OWNER:
        return True
    return Refusal("tenant:export", "An export is handed to owners of the team only.", "An owner can download it.")


def _outside(actor: Actor, tenant_id: uuid.UUID) -> Refusal | None:
    """Return why whoever is not in the tenant changes nothing there, though they may see it; what they are elsewhere counts for nothing.

    Raises NotFound for whoever may not even see it.
    """
    if actor.tenant_id == tenant_id:
        return None
    if not actor.sees_installation:
        raise NotFound("tenant")
    return Refusal(
        "installation:change", "Read-only administrators see everything and change nothing.",
        "An administrator can do it.",
    )  # fmt: skip
