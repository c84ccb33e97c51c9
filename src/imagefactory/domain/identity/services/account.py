"""Changes to one's own account."""

from __future__ import annotations

from django.db import transaction

from imagefactory.domain.identity import events, policies
from imagefactory.domain.identity.models import AuthSession, User
from imagefactory.domain.identity.selectors import is_fresh
from imagefactory.domain.identity.services.checks import (
    MAX_PASSWORD,
    password_errors,
    person_errors,
)
from imagefactory.domain.identity.services.email_proofs import end_links_of
from imagefactory.domain.identity.services.session_ends import end_all_of
from imagefactory.domain.identity.states import SessionKind
from imagefactory.kernel.actor import NOBODY, Actor
from imagefactory.kernel.authorize import authorize
from imagefactory.kernel.clock import now
from imagefactory.kernel.errors import ValidationFailed
from imagefactory.kernel.outbox.emit import emit
from imagefactory.kernel.throttle.check import count_attempt, forget


def _check_own_password(actor: Actor, user: User, given: str, field: str) -> None:
    count_attempt("give the present password", str(actor.user_id), limit=10, window_seconds=900)
    if not user.check_password(given[:MAX_PASSWORD]):
        raise ValidationFailed({field: ["This is not your present password."]})
    forget("give the present password", str(actor.user_id))


def prove_again(actor: Actor, password: str) -> None:
    """Return when this sign-in proved who it is within 15 minutes, or `password` does so now.

    Asked before changes to what protects the account. Someone whose identity provider signs them in has no password here, and
    signs in again instead.

    Raises PermissionDenied from a key, RateLimited (10 in 15 minutes), ValidationFailed.
    """
    authorize(policies.may_act_as_person(actor))
    if is_fresh(actor):
        return
    user = User.objects.get(id=actor.person)
    if not user.has_usable_password():
        raise ValidationFailed({"password": ["Sign in again first: this sign-in is older than 15 minutes."]})
    _check_own_password(actor, user, password, "password")
    AuthSession.objects.filter(id=actor.session).update(proven_at=now())


def change_password(actor: Actor, *, old: str, new: str) -> None:
    """Set a new password; every other sign-in ends, in browsers and through the API.

    Raises PermissionDenied from a key, RateLimited (10 in 15 minutes), ValidationFailed.
    """
    authorize(policies.may_act_as_person(actor))
    user = User.objects.get(id=actor.person)
    _check_own_password(actor, user, old, "old_password")
    if wrong := password_errors(new, user):
        raise ValidationFailed({"new_password": wrong})
    if user.must_change_password and new == old:
        raise ValidationFailed({"new_password": ["This is the password that has to be changed. Choose another."]})
    with transaction.atomic():
        how = "forced_change" if user.must_change_password else "changed"
        user.set_password(new)
        user.must_change_password = False
        user.save(update_fields=["password", "must_change_password"])
        # The browser that asks goes on; a program signs in again with the new password.
        browser = AuthSession.objects.filter(id=actor.session, kind=SessionKind.BROWSER).exists()
        end_all_of(user.id, keep=actor.session if browser else NOBODY)
        end_links_of(user.id)
        emit(actor, events.PasswordChanged(None, user.id, how))


def update_profile(actor: Actor, *, name: str, time_zone: str) -> None:
    """Change one's own name and time zone.

    Raises PermissionDenied from a key, ValidationFailed.
    """
    authorize(policies.may_act_as_person(actor))
    if wrong := person_errors(name, time_zone):
        raise ValidationFailed(wrong)
    with transaction.atomic():
        user = User.objects.select_for_update().get(id=actor.person)
        before = {"name": user.name, "time_zone": user.time_zone}
        after = {"name": name.strip(), "time_zone": time_zone}
        if after != before:
            User.objects.filter(id=user.id).update(**after)
            emit(actor, events.ProfileChanged(None, user.id, before, after))


def remember_tenant(actor: Actor) -> None:
    """Keep which tenant the person worked in last, so that `/` leads there."""
    User.objects.filter(id=actor.person).exclude(last_tenant_id=actor.tenant_id).update(last_tenant_id=actor.tenant_id)


def as_person(actor: Actor) -> Actor:
    """Return the actor when it is a person's own sign-in: their sessions and second factors are no business of a key.

    Raises PermissionDenied from a key.
    """
    authorize(policies.may_act_as_person(actor))
    return actor
