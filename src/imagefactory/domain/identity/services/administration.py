"""What administrators do to accounts: suspend, restore, end sessions, help with signing in."""

from __future__ import annotations

import uuid

from django.db import transaction

from imagefactory.domain.identity import events, policies
from imagefactory.domain.identity.models import User
from imagefactory.domain.identity.services.reasons import reason_of
from imagefactory.domain.identity.services.session_ends import end_all_of
from imagefactory.domain.identity.services.sign_in_admin import (
    force_password_change,
    locked_person,
    remove_second_factors,
    unlock_sign_in,
)
from imagefactory.domain.identity.services.system_roles import lock_administrators, require_another_administrator
from imagefactory.kernel.actor import Actor
from imagefactory.kernel.authorize import authorize
from imagefactory.kernel.outbox.emit import emit

_ON, _OFF = "active", "suspended"


def suspend_account(actor: Actor, user_id: uuid.UUID, *, reason: str) -> None:
    """Keep a person out of the whole installation at once: pages, API, keys, registry. Safe to repeat.

    Raises PermissionDenied, ValidationFailed, PersonNotFound, LastAdministrator.
    """
    authorize(policies.may_change_installation(actor))
    why = reason_of(reason)
    with transaction.atomic():
        lock_administrators(actor)
        user = locked_person(user_id)
        if not user.is_active:
            return
        if user.is_system_admin:
            require_another_administrator(user)
        User.objects.filter(id=user.id).update(is_active=False)
        end_all_of(user.id)
        emit(actor, events.AccountSuspended(None, user.id, user.email, _ON, _OFF, why))


def restore_account(actor: Actor, user_id: uuid.UUID, *, reason: str) -> None:
    """Let a suspended person in again; they sign in anew. Safe to repeat.

    Raises PermissionDenied, ValidationFailed, PersonNotFound.
    """
    authorize(policies.may_change_installation(actor))
    why = reason_of(reason)
    with transaction.atomic():
        user = locked_person(user_id)
        if User.objects.filter(id=user.id, is_active=False).update(is_active=True):
            emit(actor, events.AccountRestored(None, user.id, user.email, _OFF, _ON, why))


def end_sessions(actor: Actor, user_id: uuid.UUID, *, reason: str) -> int:
    """Sign a person out everywhere, in browsers and the API, and return how many sign-ins ended.

    Raises PermissionDenied, ValidationFailed, PersonNotFound.
    """
    authorize(policies.may_change_installation(actor))
    why = reason_of(reason)
    with transaction.atomic():
        user = locked_person(user_id)
        ended = end_all_of(user.id)
        emit(actor, events.SessionsEnded(None, user.id, ended, why))
    return len(ended)


def unlock_account(actor: Actor, user_id: uuid.UUID, *, reason: str) -> None:
    """Forget the failed sign-ins of a person, who can try again at once. Safe to repeat.

    Raises PermissionDenied, ValidationFailed, NotFound.
    """
    authorize(policies.may_change_installation(actor))
    why = reason_of(reason)
    with transaction.atomic():
        unlock_sign_in(actor, user_id)
        emit(actor, events.AccountHelped(None, user_id, locked_person(user_id).email, "unlock", why))


def force_new_password(actor: Actor, user_id: uuid.UUID, *, reason: str) -> None:
    """Let a person do nothing before they have set a new password. Safe to repeat.

    Raises PermissionDenied, ValidationFailed, NotFound.
    """
    authorize(policies.may_change_installation(actor))
    why = reason_of(reason)
    with transaction.atomic():
        force_password_change(actor, user_id)
        emit(actor, events.AccountHelped(None, user_id, locked_person(user_id).email, "force_password_change", why))


def reset_second_factors(actor: Actor, user_id: uuid.UUID, *, reason: str) -> None:
    """Take the second factors from someone who lost them, and end their sign-ins. Safe to repeat.

    Raises PermissionDenied, ValidationFailed, NotFound.
    """
    authorize(policies.may_change_installation(actor))
    why = reason_of(reason)
    with transaction.atomic():
        remove_second_factors(actor, user_id)
        emit(actor, events.AccountHelped(None, user_id, locked_person(user_id).email, "reset_second_factors", why))
