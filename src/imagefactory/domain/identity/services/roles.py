"""A tenant's own roles: made, changed, deleted; never wider than what their maker holds."""

from __future__ import annotations

import unicodedata
import uuid
from collections.abc import Iterable

from django.db import IntegrityError, transaction
from django.db.models import F

from imagefactory.domain.identity import events
from imagefactory.domain.identity.errors import RoleHeld, RoleNotFound, StaleRole
from imagefactory.domain.identity.models import CustomRole, Invitation, RoleBinding
from imagefactory.domain.identity.permissions import TENANT_ONLY, Permission, Role, SystemRole
from imagefactory.domain.identity.policies.roles import RoleChoice, may_define_role, may_grant, may_manage_somewhere
from imagefactory.domain.identity.selectors import require_tenant
from imagefactory.domain.identity.selectors.roles import MAX_ROLES, RoleView, find_role, get_role, places_of
from imagefactory.domain.identity.services.team_lock import lock_for
from imagefactory.domain.identity.states import InvitationState, RoleScope
from imagefactory.kernel.actor import Actor
from imagefactory.kernel.authorize import authorize
from imagefactory.kernel.clock import now
from imagefactory.kernel.errors import ValidationFailed
from imagefactory.kernel.outbox.emit import emit

_TAKEN = {str(r) for r in Role} | {r.replace("_", " ") for r in SystemRole} | {str(r) for r in SystemRole}


def _role_errors(name: str, description: str, scope: str, permissions: list[str]) -> dict[str, list[str]]:
    wrong: dict[str, list[str]] = {}
    plain = unicodedata.normalize("NFKC", name).strip().casefold()
    if not 1 <= len(name.strip()) <= 60 or not name.isprintable():
        wrong["name"] = ["Give the role a name of one line, in at most 60 characters."]
    elif plain in _TAKEN:
        wrong["name"] = [f"{name.strip()} is the name of a role that every installation has. Choose another."]
    if len(description) > 500:
        wrong["description"] = ["The description is longer than 500 characters."]
    if scope not in set(RoleScope):
        wrong["scope"] = ["Choose project or tenant: where the role is held."]
    if unknown := [p for p in permissions if p not in {str(p) for p in Permission}]:
        wrong["permissions"] = [f"There is no permission {', '.join(unknown[:5])}. Choose from those in the reference."]
    elif not permissions:
        wrong["permissions"] = ["Choose at least one permission; a role without any does nothing."]
    elif scope == RoleScope.PROJECT and (odd := [p for p in permissions if p in TENANT_ONLY]):
        wrong["permissions"] = [
            f"{', '.join(odd)} holds in the whole team only, so a role for projects cannot have it."
        ]
    return wrong


def _clean(permissions: Iterable[str]) -> list[str]:
    return sorted({str(p) for p in permissions})[:100]


def create_role(actor: Actor, *, name: str, scope: str, permissions: Iterable[str], description: str = "") -> RoleView:
    """Make a role of the tenant's own, no wider than what the actor holds.

    Raises PermissionDenied, ValidationFailed with all fields at once.
    """
    authorize(may_manage_somewhere(actor))
    wanted = _clean(permissions)
    if wrong := _role_errors(name, description, scope, wanted):
        raise ValidationFailed(wrong)
    with transaction.atomic():
        fresh = lock_for(actor)
        authorize(may_define_role(fresh, name.strip(), scope, wanted))
        tenant_id = require_tenant(fresh)
        if CustomRole.objects.filter(tenant_id=tenant_id).count() >= MAX_ROLES:
            raise ValidationFailed(
                {"name": [f"This team has {MAX_ROLES} roles of its own, the most. Delete one first."]}
            )
        fields = {"name": name.strip(), "description": description.strip(), "scope": scope, "permissions": wanted}
        try:
            with transaction.atomic():
                made = CustomRole.objects.create(tenant_id=tenant_id, created_by_id=fresh.user_id, **fields)
        except IntegrityError:
            raise ValidationFailed({"name": [f"This team has a role {name.strip()}. Choose another name."]}) from None
        emit(fresh, events.RoleCreated(tenant_id, made.id, made.name, made.scope, wanted))
    return get_role(actor, made.id)


def _locked(actor: Actor, role_id: uuid.UUID) -> CustomRole:
    row = CustomRole.objects.select_for_update().filter(tenant_id=require_tenant(actor), id=role_id).first()
    if row is None:
        raise RoleNotFound
    return row


def update_role(
    actor: Actor, role_id: uuid.UUID, *, name: str, permissions: Iterable[str], description: str = "",
    if_version: int | None = None,
) -> RoleView:  # fmt: skip
    """Change a role; everyone who holds it has the new rights from their next request on. Its scope stays.

    Whoever changes it must manage every place where it is held or offered, and hold there all that it grants before and
    after. Raises RoleNotFound, PermissionDenied, ValidationFailed, StaleRole.
    """
    authorize(may_manage_somewhere(actor))
    wanted = _clean(permissions)
    with transaction.atomic():
        fresh = lock_for(actor)
        row = _locked(fresh, role_id)
        if wrong := _role_errors(name, description, row.scope, wanted):
            raise ValidationFailed(wrong)
        if if_version is not None and if_version != row.version:
            raise StaleRole
        authorize(may_define_role(fresh, row.name, row.scope, {*row.permissions, *wanted}, places_of(row.id)))
        before = {"name": row.name, "description": row.description, "permissions": ", ".join(row.permissions)}
        after = {"name": name.strip(), "description": description.strip(), "permissions": ", ".join(wanted)}
        changed = {k for k in before if before[k] != after[k]}
        if changed:
            try:
                with transaction.atomic():
                    CustomRole.objects.filter(id=row.id).update(
                        name=after["name"], description=after["description"], permissions=wanted,
                        version=F("version") + 1, updated_at=now(),
                    )  # fmt: skip
            except IntegrityError:
                raise ValidationFailed({"name": [f"This team has a role {after['name']}. Choose another."]}) from None
            said = events.RoleChanged(
                row.tenant_id, row.id, after["name"],
                {k: before[k] for k in sorted(changed)}, {k: after[k] for k in sorted(changed)},
            )  # fmt: skip
            emit(fresh, said)
    return get_role(actor, role_id)


def delete_role(actor: Actor, role_id: uuid.UUID, *, replacement: str = "") -> None:
    """Delete a role. Those who hold it, and open invitations, get `replacement`, the key of a role of the same scope.

    Without one it goes only when nobody holds it; open invitations to it let nobody in from then on. Raises RoleNotFound,
    PermissionDenied, RoleHeld, ValidationFailed.
    """
    authorize(may_manage_somewhere(actor))
    with transaction.atomic():
        fresh = lock_for(actor)
        row = _locked(fresh, role_id)
        places = places_of(row.id)
        authorize(may_define_role(fresh, row.name, row.scope, row.permissions, places))
        after = _replacement(fresh, row, replacement)
        bindings = list(RoleBinding.objects.filter(custom_role=row).select_related("user").order_by("user__name"))
        if bindings and after is None:
            raise RoleHeld(row.name, list(dict.fromkeys(b.user.name for b in bindings)))
        if after is not None:
            authorize(may_grant(fresh, after, [p for p in places if p is not None]))
            RoleBinding.objects.filter(custom_role=row).update(**after.columns)
        _move_invitations(row, after)
        moved = [
            events.MemberRoleSet(row.tenant_id, b.user_id, b.project_id, row.name, after.name if after else "")
            for b in bindings
        ]
        emit(
            fresh, *moved, events.RoleDeleted(row.tenant_id, row.id, row.name, after.name if after else "", len(moved))
        )
        row.delete()


def _replacement(actor: Actor, row: CustomRole, key: str) -> RoleChoice | None:
    if not key:
        return None
    found = find_role(row.tenant_id, key, lock=True)
    if found is None or found.custom_id == row.id or found.scope != row.scope:
        where = "in the whole team" if row.scope == RoleScope.TENANT else "in projects"
        raise ValidationFailed({"replacement": [f"Choose another role that is held {where}."]})
    return found


def _move_invitations(row: CustomRole, after: RoleChoice | None) -> None:
    """Give open invitations the new role, or end them; those that are over only forget which role it was."""
    rows = Invitation.objects.filter(custom_role=row)
    waiting = rows.filter(state__in=[InvitationState.PENDING, InvitationState.EXPIRED])
    if after is not None:
        waiting.update(**after.columns)
    else:
        waiting.update(custom_role=None, void_because=f"The role {row.name} that it was for was deleted.")
    rows.update(custom_role=None)
