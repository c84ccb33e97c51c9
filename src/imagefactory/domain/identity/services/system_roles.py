"""System roles: granted and revoked one by one, by an administrator or from the command line, and never the last."""

from __future__ import annotations

import uuid

from django.db import connection, transaction

from imagefactory.domain.identity import events, policies
from imagefactory.domain.identity.errors import LastAdministrator, PersonNotFound
from imagefactory.domain.identity.models import User
from imagefactory.domain.identity.permissions import SystemRole
from imagefactory.domain.identity.selectors.rights import SYSTEM_ROLE_FIELDS, system_roles_of
from imagefactory.domain.identity.services.reasons import reason_of
from imagefactory.kernel import pg
from imagefactory.kernel.actor import Actor, ActorKind
from imagefactory.kernel.authorize import authorize
from imagefactory.kernel.outbox.emit import emit


def grant_system_role(actor: Actor, user_id: uuid.UUID, role: SystemRole, *, reason: str) -> bool:
    """Give a person a system role and return whether it was news. Safe to repeat.

    Raises PermissionDenied, ValidationFailed, PersonNotFound.
    """
    authorize(policies.may_change_installation(actor))
    return _set(actor, user_id, role, held=True, reason=reason)


def revoke_system_role(actor: Actor, user_id: uuid.UUID, role: SystemRole, *, reason: str) -> bool:
    """Take a system role from a person and return whether they had it; it ends with their next request. Safe to repeat.

    Raises PermissionDenied, ValidationFailed, PersonNotFound, LastAdministrator.
    """
    authorize(policies.may_change_installation(actor))
    return _set(actor, user_id, role, held=False, reason=reason)


def _set(actor: Actor, user_id: uuid.UUID, role: SystemRole, *, held: bool, reason: str) -> bool:
    why = reason_of(reason)
    with transaction.atomic():
        lock_administrators(actor)
        user = User.objects.select_for_update().filter(id=user_id).first()
        if user is None:
            raise PersonNotFound
        before = sorted(system_roles_of(user))
        if (role in before) == held:
            return False
        if role is SystemRole.ADMINISTRATOR and not held:
            require_another_administrator(user)
        setattr(user, SYSTEM_ROLE_FIELDS[role], held)
        user.save(update_fields=[SYSTEM_ROLE_FIELDS[role]])
        event = events.SystemRoleGranted if held else events.SystemRoleRevoked
        emit(actor, event(None, user.id, user.email, str(role), before, sorted(system_roles_of(user)), why))
    return True


def lock_administrators(actor: Actor) -> None:
    """Let one change of administrators happen after the other; in the caller's transaction.

    What the actor was when the request came in may be over: who lost the role while waiting for the lock is refused.
    Raises PermissionDenied.
    """
    with connection.cursor() as cursor:
        cursor.execute("select pg_advisory_xact_lock(%s)", [pg.Lock.ADMINISTRATORS])
    still = User.objects.filter(id=actor.person, is_active=True, is_system_admin=True).exists()
    if actor.kind is not ActorKind.SYSTEM and not still:
        authorize(policies.no_longer_administrator())


def require_another_administrator(user: User) -> None:
    """Return when someone else can still run the installation; under the lock above.

    Raises LastAdministrator.
    """
    others = User.objects.filter(is_system_admin=True, is_active=True).exclude(id=user.id)
    if user.is_active and not others.exists():
        raise LastAdministrator
