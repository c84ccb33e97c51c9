"""Service accounts: making, changing, switching off and deleting them."""

from __future__ import annotations

import dataclasses
import uuid
from collections.abc import Collection, Sequence
from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import IntegrityError, transaction

from imagefactory.domain.identity import events, policies
from imagefactory.domain.identity.errors import ServiceAccountNotFound
from imagefactory.domain.identity.models import ApiKey, ServiceAccount
from imagefactory.domain.identity.permissions import ROLE_PERMISSIONS, Permission, Role
from imagefactory.domain.identity.selectors import require_tenant
from imagefactory.domain.identity.selectors.key_actors import account_permissions
from imagefactory.domain.identity.selectors.service_accounts import MAX_ACCOUNTS
from imagefactory.domain.identity.services.keys import MAX_PROJECTS
from imagefactory.kernel.actor import Actor
from imagefactory.kernel.authorize import authorize
from imagefactory.kernel.clock import now
from imagefactory.kernel.errors import ValidationFailed
from imagefactory.kernel.outbox.emit import emit
from imagefactory.kernel.text import plain_text_errors

ROLES = (Role.ADMIN, Role.MEMBER, Role.VIEWER)


@dataclasses.dataclass(frozen=True)
class AccountFields:
    """What people say of a service account: a role, or permissions of their choice; `project_ids` of None is the tenant."""

    name: str
    contact_email: str
    description: str = ""
    role: str = ""
    permissions: Sequence[str] = ()
    project_ids: Collection[uuid.UUID] | None = None

    def stored(self) -> dict[str, Any]:
        projects = None if self.project_ids is None else sorted(set(self.project_ids))
        return {
            "name": self.name.strip(), "description": self.description.strip(),
            "contact_email": self.contact_email.strip(), "role": self.role,
            "permissions": [] if self.role else sorted(set(self.permissions)), "project_ids": projects,
        }  # fmt: skip


def create_service_account(actor: Actor, fields: AccountFields) -> ServiceAccount:
    """Make a service account that the actor answers for, with no more rights than the actor has.

    Raises PermissionDenied, ValidationFailed.
    """
    tenant_id = require_tenant(actor)
    authorize(policies.may_manage_account(actor, fields.project_ids))
    _check(actor, fields)
    if ServiceAccount.objects.filter(tenant_id=tenant_id, deleted_at=None).count() >= MAX_ACCOUNTS:
        raise ValidationFailed(
            {"name": [f"This team has {MAX_ACCOUNTS} service accounts. Delete one that is not used."]}
        )
    try:
        with transaction.atomic():
            made = ServiceAccount.objects.create(
                tenant_id=tenant_id, keeper_id=actor.user_id, made_by_name=actor.name[:200], **fields.stored()
            )
            emit(actor, events.ServiceAccountCreated(tenant_id, made.id, made.name, _told(made)))
    except IntegrityError:
        raise _taken(fields.name) from None
    return made


def update_service_account(actor: Actor, account_id: uuid.UUID, fields: AccountFields) -> None:
    """Change what a service account is called and may do; its keys follow with the next request.

    Raises ServiceAccountNotFound, PermissionDenied, ValidationFailed.
    """
    try:
        with transaction.atomic():
            account = _managed(actor, account_id)
            authorize(policies.may_manage_account(actor, fields.project_ids))
            _check(actor, fields)
            before = _told(account)
            for name, value in fields.stored().items():
                setattr(account, name, value)
            if before == _told(account):
                return
            account.save()
            emit(actor, _changed(account, before))
    except IntegrityError:
        raise _taken(fields.name) from None


def take_over_service_account(actor: Actor, account_id: uuid.UUID) -> None:
    """Answer for a service account from now on, such as one whose keeper has left.

    Raises ServiceAccountNotFound, PermissionDenied.
    """
    with transaction.atomic():
        account = _managed(actor, account_id)
        before = _told(account)
        account.keeper_id = actor.user_id
        account.save(update_fields=["keeper_id", "updated_at"])
        if before != _told(account):
            emit(actor, _changed(account, before))


def switch_service_account(actor: Actor, account_id: uuid.UUID, *, on: bool) -> None:
    """Switch a service account off, with all its keys at once, or on again. Safe to repeat.

    Raises ServiceAccountNotFound, PermissionDenied.
    """
    with transaction.atomic():
        account = _managed(actor, account_id)
        if (account.disabled_at is None) is on:
            return
        if on:
            authorize(policies.may_hand_out(actor, account_permissions(account), account.project_ids))
        account.disabled_at = None if on else now()
        account.save(update_fields=["disabled_at", "updated_at"])
        kind = events.ServiceAccountEnabled if on else events.ServiceAccountDisabled
        emit(actor, kind(account.tenant_id, account.id, account.name))


def delete_service_account(actor: Actor, account_id: uuid.UUID) -> None:
    """Delete a service account and revoke all its keys, at once and for good.

    Raises ServiceAccountNotFound, PermissionDenied.
    """
    with transaction.atomic():
        account = _managed(actor, account_id)
        account.deleted_at = now()
        account.save(update_fields=["deleted_at", "updated_at"])
        gone = ApiKey.objects.filter(service_account=account, revoked_at=None).update(revoked_at=now())
        emit(actor, events.ServiceAccountDeleted(account.tenant_id, account.id, account.name, gone))


def _managed(actor: Actor, account_id: uuid.UUID) -> ServiceAccount:
    rows = ServiceAccount.objects.select_for_update()
    found = rows.filter(id=account_id, tenant_id=require_tenant(actor), deleted_at=None).first()
    if found is None or not policies.may_see_account(actor, found.project_ids):
        raise ServiceAccountNotFound
    authorize(policies.may_manage_account(actor, found.project_ids))
    return found


def _check(actor: Actor, fields: AccountFields) -> None:
    wrong: dict[str, list[str]] = {}
    if not 1 <= len(fields.name.strip()) <= 60:
        wrong["name"] = ["Give the account a name that says what uses it, in at most 60 characters."]
    elif strange := plain_text_errors(fields.name):
        wrong["name"] = strange
    if len(fields.description) > 300:
        wrong["description"] = ["The description has at most 300 characters."]
    if not _is_email(fields.contact_email.strip()):
        wrong["contact_email"] = ["Give an e-mail address for warnings, such as team@example.com."]
    if fields.project_ids is not None and not 1 <= len(set(fields.project_ids)) <= MAX_PROJECTS:
        wrong["project_ids"] = [f"Choose 1 to {MAX_PROJECTS} projects, or the whole team."]
    if about := _rights_errors(actor, fields):
        wrong["role" if fields.role else "permissions"] = about
    if wrong:
        raise ValidationFailed(wrong)


def _is_email(text: str) -> bool:
    try:
        validate_email(text[:300])
    except ValidationError:
        return False
    return len(text) <= 254


def _rights_errors(actor: Actor, fields: AccountFields) -> list[str]:
    if fields.role:
        if fields.role not in ROLES:
            return ["Choose the role admin, member or viewer, or single permissions."]
        wanted = sorted(str(p) for p in ROLE_PERMISSIONS[Role(fields.role)])
    else:
        wanted = sorted(set(fields.permissions))
    if unknown := [p for p in wanted if p not in {str(q) for q in Permission}]:
        return [f"There is no permission {', '.join(unknown[:5])}. Choose from those in the reference."]
    if not wanted:
        return ["Choose a role, or at least one permission."]
    places = [None] if fields.project_ids is None else list(fields.project_ids)
    if wider := [p for p in wanted if not all(actor.may(p, place) for place in places)]:
        return [f"You do not have {', '.join(wider[:5])} there yourself, so you cannot give it to a service account."]
    return []


def _taken(name: str) -> ValidationFailed:
    return ValidationFailed(
        {"name": [f"There is a service account called {name.strip()} already. Choose another name."]}
    )


def _told(account: ServiceAccount) -> dict[str, Any]:
    """Return a service account as the record of its changes has it."""
    projects = None if account.project_ids is None else [str(p) for p in account.project_ids]
    return {
        "name": account.name, "description": account.description, "contact_email": account.contact_email,
        "role": account.role, "permissions": list(account.permissions), "project_ids": projects,
        "keeper_id": str(account.keeper_id) if account.keeper_id else None,
    }  # fmt: skip


def _changed(account: ServiceAccount, before: dict[str, Any]) -> events.ServiceAccountChanged:
    return events.ServiceAccountChanged(account.tenant_id, account.id, account.name, before, _told(account))
