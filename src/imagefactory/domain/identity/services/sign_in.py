"""Signing in with a password."""

from __future__ import annotations

import dataclasses
import uuid

from django.contrib.auth.hashers import make_password
from django.db import transaction

from imagefactory.domain.identity import events
from imagefactory.domain.identity.errors import WrongCredentials
from imagefactory.domain.identity.selectors import user_with_email
from imagefactory.domain.identity.services.checks import (
    MAX_PASSWORD,
)
from imagefactory.kernel.actor import Actor, ActorKind
from imagefactory.kernel.outbox.emit import emit
from imagefactory.kernel.throttle.check import count_attempt, forget, origin


def verify_password(actor: Actor, *, email: str, password: str) -> uuid.UUID:
    """Return the id of the person with this e-mail address and password.

    Raises WrongCredentials, or RateLimited after 10 failures for one address and person, or 100 for one address, in 15
    minutes. Takes the same time whether the person exists or not.
    """
    email, address = email.strip().lower()[:254], origin(actor.address)
    count_attempt("sign in from here", address, limit=100, window_seconds=900)
    user = user_with_email(email)
    # By the account where there is one: the database takes some letters for the same that Python does not.
    attempt = f"{address}\0{user.pk if user else email}"
    count_attempt("sign in", attempt, limit=10, window_seconds=900)
    if user is None or not user.is_active or len(password) > MAX_PASSWORD:
        make_password(password[:MAX_PASSWORD])  # as slow as a check
    elif user.check_password(password):
        forget("sign in", attempt)
        with transaction.atomic():
            emit(
                dataclasses.replace(actor, kind=ActorKind.USER, user_id=user.id, name=user.name),
                events.SignedIn(None, user.id, "password"),
            )
        return user.id
    with transaction.atomic():
        emit(actor, events.SignInRefused(None, email))
    raise WrongCredentials
