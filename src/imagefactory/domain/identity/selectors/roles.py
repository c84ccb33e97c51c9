"""Roles that can be given in a tenant, and who holds them."""

from __future__ import annotations

import collections
import dataclasses
import datetime as dt
import uuid

from django.db.models import Q, QuerySet

from imagefactory.domain.identity.errors import RoleNotFound
from imagefactory.domain.identity.models import CustomRole, Invitation, RoleBinding
from imagefactory.domain.identity.permissions import Role
from imagefactory.domain.identity.policies.roles import RoleChoice, builtin, custom
from imagefactory.domain.identity.selectors.tenants import require_tenant
from imagefactory.domain.identity.states import InvitationState, RoleScope
from imagefactory.kernel.actor import Actor

MAX_ROLES = 50  # of one tenant


@dataclasses.dataclass(frozen=True)
class RoleView:
    """A tenant's own role; `held` counts the places where people hold it that the asking actor may see."""

    id: uuid.UUID
    name: str
    description: str
    scope: str
    permissions: list[str]
    version: int
    created_by: str
    created_at: dt.datetime
    updated_at: dt.datetime
    held: int = 0


@dataclasses.dataclass(frozen=True)
class Holder:
    """Someone who holds a role, in one project or in the whole tenant."""

    user_id: uuid.UUID
    name: str
    project_id: uuid.UUID | None


def visible_bindings(actor: Actor) -> QuerySet[RoleBinding]:
    """Return the bindings of the tenant, without those in projects that the actor may not see."""
    rows = RoleBinding.objects.filter(tenant_id=require_tenant(actor))
    within = actor.projects_with("project:view")
    return rows if within is None else rows.filter(Q(project_id=None) | Q(project_id__in=within))


def _view(row: CustomRole, held: int) -> RoleView:
    return RoleView(
        row.id, row.name, row.description, row.scope, list(row.permissions), row.version,
        row.created_by.name if row.created_by else "", row.created_at, row.updated_at, held,
    )  # fmt: skip


def list_roles(actor: Actor) -> list[RoleView]:
    """Return the tenant's own roles by name."""
    rows = CustomRole.objects.filter(tenant_id=require_tenant(actor)).select_related("created_by").order_by("name")
    held = visible_bindings(actor).filter(custom_role_id__isnull=False).values_list("custom_role_id", flat=True)
    count = collections.Counter(held)
    return [_view(row, count[row.id]) for row in rows[:MAX_ROLES]]


def get_role(actor: Actor, role_id: uuid.UUID) -> RoleView:
    """Return one of the tenant's own roles.

    Raises RoleNotFound.
    """
    rows = CustomRole.objects.filter(tenant_id=require_tenant(actor), id=role_id).select_related("created_by")
    if (row := rows.first()) is None:
        raise RoleNotFound
    return _view(row, visible_bindings(actor).filter(custom_role_id=role_id).count())


def holders_of(actor: Actor, role_id: uuid.UUID) -> list[Holder]:
    """Return who holds one of the tenant's own roles, by name, as far as the actor may see where."""
    rows = visible_bindings(actor).filter(custom_role_id=role_id).select_related("user").order_by("user__name", "id")
    return [Holder(b.user_id, b.user.name, b.project_id) for b in rows[:200]]


def role_choices(actor: Actor) -> list[RoleChoice]:
    """Return every role that exists in the tenant: the built-in ones, then its own by name."""
    rows = CustomRole.objects.filter(tenant_id=require_tenant(actor)).order_by("name")[:MAX_ROLES]
    return [builtin(r) for r in Role] + [custom(row) for row in rows]


def find_role(tenant_id: uuid.UUID, key: str, *, lock: bool = False) -> RoleChoice | None:
    """Return the role that this word names in a tenant: `owner`, `admin`, `member`, `viewer`, or the id of its own.

    With `lock`, in a transaction, the tenant's own role stays until its end.
    """
    if key in set(Role):
        return builtin(Role(key))
    try:
        wanted = uuid.UUID(key)
    except ValueError:
        return None
    rows = CustomRole.objects.filter(tenant_id=tenant_id, id=wanted)
    row = (rows.select_for_update(no_key=True) if lock else rows).first()
    return custom(row) if row else None


def choice_of(role: str, row: CustomRole | None) -> RoleChoice:
    """Return the role that a binding or an invitation names by its two columns; neither is a role that was deleted."""
    if row is not None:
        return custom(row)
    return builtin(Role(role)) if role else RoleChoice("deleted role", RoleScope.PROJECT, frozenset())


def places_of(role_id: uuid.UUID) -> set[uuid.UUID | None]:
    """Return where a role is held or offered by an open invitation; None stands for the whole tenant."""
    held: set[uuid.UUID | None] = set(
        RoleBinding.objects.filter(custom_role_id=role_id).values_list("project_id", flat=True)
    )
    offered = Invitation.objects.filter(custom_role_id=role_id, state=InvitationState.PENDING, void_because="")
    for projects in offered.values_list("projects", flat=True):
        held |= set(projects)
    return held
