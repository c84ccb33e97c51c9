"""Changes to one's own account."""

from __future__ import annotations

from django.db import transaction

from imagefactory.domain.identity import events, policies
from imagefactory.domain.identity.models import AuthSession, User
from imagefactory.domain.identity.services.checks import (
    MAX_PASSWORD,
    password_errors,
    person_errors,
)
from imagefactory.kernel.actor import Actor
from imagefactory.kernel.authorize import authorize
from imagefactory.kernel.clock import now
from imagefactory.kernel.errors import ValidationFailed
from imagefactory.kernel.outbox.emit import emit
from imagefactory.kernel.throttle.check import count_attempt


def change_password(actor: Actor, *, old: str, new: str) -> None:
    """Set a new password; every API session ends, browser sessions end by Django's session hash.

    Raises PermissionDenied from a key, RateLimited (10 in 15 minutes), ValidationFailed.
    """
    authorize(policies.may_act_as_person(actor))
    count_attempt("change the password", str(actor.user_id), limit=10, window_seconds=900)
    user = User.objects.get(id=actor.person)
    if not user.check_password(old[:MAX_PASSWORD]):
        raise ValidationFailed({"old_password": ["This is not your present password."]})
    if wrong := password_errors(new, user):
        raise ValidationFailed({"new_password": wrong})
    with transaction.atomic():
        user.set_password(new)
        user.save(update_fields=["password"])
        AuthSession.objects.filter(user=user, revoked_at=None).update(revoked_at=now())
        emit(actor, events.PasswordChanged(None, user.id))


def update_profile(actor: Actor, *, name: str, time_zone: str) -> None:
    """Change one's own name and time zone.

    Raises PermissionDenied from a key, ValidationFailed.
    """
    authorize(policies.may_act_as_person(actor))
    if wrong := person_errors(name, time_zone):
        raise ValidationFailed(wrong)
    User.objects.filter(id=actor.person).update(name=name.strip(), time_zone=time_zone)


def remember_tenant(actor: Actor) -> None:
    """Keep which tenant the person worked in last, so that `/` leads there."""
    User.objects.filter(id=actor.person).exclude(last_tenant_id=actor.tenant_id).update(last_tenant_id=actor.tenant_id)
