"""What administrators and owners decide about others' sign-in: forced change, unlocking, second factors."""

from __future__ import annotations

import uuid

from allauth.mfa.models import Authenticator
from django.db import transaction

from imagefactory.domain.identity import events, policies
from imagefactory.domain.identity.errors import PersonNotFound, SecondFactorRequired
from imagefactory.domain.identity.models import Tenant, User
from imagefactory.domain.identity.permissions import Permission
from imagefactory.domain.identity.selectors import has_second_factor, require_tenant
from imagefactory.domain.identity.services.session_ends import end_all_of
from imagefactory.domain.identity.services.sign_in import forget_attempts
from imagefactory.kernel.actor import Actor
from imagefactory.kernel.authorize import authorize
from imagefactory.kernel.outbox.emit import emit


def locked_person(user_id: uuid.UUID) -> User:
    """Return the person, locked until the transaction ends.

    Raises PersonNotFound.
    """
    user = User.objects.select_for_update().filter(id=user_id).first()
    if user is None:
        raise PersonNotFound
    return user


def force_password_change(actor: Actor, user_id: uuid.UUID) -> None:
    """Let a person do nothing before they have set a new password; their API keys go on. Safe to repeat.

    Raises PermissionDenied, PersonNotFound.
    """
    authorize(policies.may_manage_sign_in(actor))
    with transaction.atomic():
        user = locked_person(user_id)
        if not user.must_change_password:
            user.must_change_password = True
            user.save(update_fields=["must_change_password"])
            emit(actor, events.PasswordChangeForced(None, user_id))


def unlock_sign_in(actor: Actor, user_id: uuid.UUID) -> None:
    """Forget the failed attempts of an account, so that its person can sign in at once. Safe to repeat.

    Raises PermissionDenied, PersonNotFound.
    """
    authorize(policies.may_manage_sign_in(actor))
    with transaction.atomic():
        forget_attempts(locked_person(user_id))
        emit(actor, events.SignInUnlocked(None, user_id))


def remove_second_factors(actor: Actor, user_id: uuid.UUID) -> None:
    """Take all second factors from someone who lost them, and end their sign-ins; their password alone signs them in again.

    Raises PermissionDenied, PersonNotFound.
    """
    authorize(policies.may_manage_sign_in(actor))
    with transaction.atomic():
        user = locked_person(user_id)
        kinds = set(Authenticator.objects.filter(user=user).values_list("type", flat=True))
        Authenticator.objects.filter(user=user).delete()
        end_all_of(user.id)
        gone = sorted(kinds - {Authenticator.Type.RECOVERY_CODES})
        emit(actor, *(events.SecondFactorRemoved(None, user_id, str(kind)) for kind in gone))


def require_second_factor(actor: Actor, *, required: bool) -> None:
    """Open the actor's tenant only to people with a second factor, or to all members again. Safe to repeat.

    Nobody shuts themselves out: who sets it has a second factor. Raises PermissionDenied, SecondFactorRequired.
    """
    tenant_id = require_tenant(actor)
    authorize(policies.may(actor, Permission.SETTINGS_EDIT))
    authorize(policies.may_act_as_person(actor))
    with transaction.atomic():
        tenant = Tenant.objects.select_for_update().get(id=tenant_id)
        before = tenant.second_factor_required
        if before == required:
            return
        if required and not has_second_factor(actor.person):
            raise SecondFactorRequired(tenant.slug)
        tenant.second_factor_required = required
        tenant.save(update_fields=["second_factor_required", "updated_at"])
        emit(actor, events.SecondFactorPolicySet(tenant_id, before, required))
