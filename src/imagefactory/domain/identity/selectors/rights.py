"""What the role bindings of a person grant in a tenant, and what the tenant is entitled to."""

from __future__ import annotations

import dataclasses
import uuid
from collections.abc import Iterable, Mapping
from typing import Final

from imagefactory.domain.identity.models import RoleBinding, Tenant, User
from imagefactory.domain.identity.permissions import (
    READ_ONLY,
    ROLE_PERMISSIONS,
    TENANT_ONLY,
    Capability,
    Permission,
    Role,
    SystemRole,
)
from imagefactory.domain.identity.states import RoleScope, TenantState


@dataclasses.dataclass(frozen=True)
class Rights:
    """Permissions in the whole tenant, permissions by project, and the highest role."""

    everywhere: frozenset[str] = frozenset()
    by_project: Mapping[uuid.UUID, frozenset[str]] = dataclasses.field(default_factory=dict)
    role: str = ""

    def limited_to(self, permissions: Iterable[str]) -> Rights:
        """Return what is left of these rights within `permissions`."""
        kept = frozenset(permissions)
        return Rights(self.everywhere & kept, {p: held & kept for p, held in self.by_project.items()}, self.role)

    def within(self, projects: Iterable[uuid.UUID] | None) -> Rights:
        """Return what is left of these rights in `projects` alone; None leaves them as they are."""
        if projects is None:
            return self
        kept = {p: self.everywhere | self.by_project.get(p, frozenset()) for p in projects}
        return Rights(frozenset(), {p: held for p, held in kept.items() if held}, self.role)


def highest(roles: set[str]) -> str:
    """Return the name that stands for all of these roles: the highest built-in one, else a custom one."""
    return next((str(r) for r in Role if r in roles), min(roles, default=""))


CAPABILITY_FIELDS: Final[dict[Capability, str]] = {
    Capability.BUILD: "may_build",
    Capability.QUARANTINE_REQUEST: "may_quarantine_request",
    Capability.QUARANTINE_RELEASE: "may_quarantine_release",
    Capability.ONDEMAND_IMAGE_SCANNING: "may_ondemand_image_scanning",
}
SYSTEM_ROLE_FIELDS: Final[dict[SystemRole, str]] = {
    SystemRole.ADMINISTRATOR: "is_system_admin",
    SystemRole.READ_ONLY_ADMINISTRATOR: "is_read_only_admin",
    SystemRole.SECURITY_REVIEWER: "is_reviewer",
}


def capabilities_of(tenant: Tenant) -> frozenset[str]:
    return frozenset(str(c) for c, field in CAPABILITY_FIELDS.items() if getattr(tenant, field))


def system_roles_of(user: User) -> frozenset[str]:
    return frozenset(str(r) for r, field in SYSTEM_ROLE_FIELDS.items() if getattr(user, field))


def _held(role: str, scope: str | None, permissions: object, project_id: uuid.UUID | None) -> frozenset[str]:
    """Return what one binding grants. A custom role is read as what it may be at most, whatever its row says."""
    if role:
        return frozenset(str(p) for p in ROLE_PERMISSIONS[Role(role)])
    if (scope == RoleScope.TENANT) is not (project_id is None) or not isinstance(permissions, list):
        return frozenset()
    known = frozenset(str(p) for p in Permission) - (frozenset() if project_id is None else TENANT_ONLY)
    return known & frozenset(str(p) for p in permissions)


def rights_of(user_id: uuid.UUID, tenant: Tenant) -> Rights:
    """Return what a person may do in a tenant; only reading, when the tenant is not active. One query, nothing kept."""
    everywhere: frozenset[str] = frozenset()
    by_project: dict[uuid.UUID, frozenset[str]] = {}
    roles: set[str] = set()
    bindings = RoleBinding.objects.filter(user_id=user_id, tenant_id=tenant.id).values_list(
        "role", "project_id", "custom_role__name", "custom_role__scope", "custom_role__permissions"
    )
    for role, project_id, name, scope, permissions in bindings:
        roles.add(role or name)
        held = _held(role, scope, permissions, project_id)
        if project_id is None:
            everywhere |= held
        else:
            by_project[project_id] = by_project.get(project_id, frozenset()) | held
    found = Rights(everywhere, by_project, highest(roles))
    return found if tenant.state == TenantState.ACTIVE else found.limited_to(READ_ONLY)
