"""Roles of members."""

from __future__ import annotations

import uuid

from django.db import transaction

from imagefactory.domain.identity import events, policies
from imagefactory.domain.identity.models import Membership, RoleBinding
from imagefactory.domain.identity.permissions import Permission, Role
from imagefactory.domain.identity.selectors import require_tenant
from imagefactory.kernel.actor import Actor
from imagefactory.kernel.authorize import authorize
from imagefactory.kernel.errors import ValidationFailed
from imagefactory.kernel.outbox.emit import emit


def set_project_role(actor: Actor, user_id: uuid.UUID, project_id: uuid.UUID, role: Role | None) -> None:
    """Give a member of the tenant a role in one project, or take it away with None.

    Raises PermissionDenied, ValidationFailed.
    """
    authorize(policies.may(actor, Permission.TEAM_MANAGE, project_id))
    tenant_id = require_tenant(actor)
    if role is Role.OWNER or not Membership.objects.filter(tenant_id=tenant_id, user_id=user_id).exists():
        raise ValidationFailed({"role": ["Give a member of this team the role admin, member or viewer."]})
    with transaction.atomic():
        mine = RoleBinding.objects.select_for_update().filter(
            tenant_id=tenant_id, user_id=user_id, project_id=project_id
        )
        before = mine.first()
        if role is None:
            mine.delete()
        else:
            RoleBinding.objects.update_or_create(
                tenant_id=tenant_id, user_id=user_id, project_id=project_id, defaults={"role": role}
            )
        emit(
            actor,
            events.MemberRoleSet(tenant_id, user_id, project_id, before.role if before else "", role or ""),
        )


def drop_project_roles(tenant_id: uuid.UUID, project_id: uuid.UUID) -> None:
    """Remove all bindings of a project that is being deleted; called in that transaction."""
    RoleBinding.objects.filter(tenant_id=tenant_id, project_id=project_id).delete()
