"""Signing in: the password, and the second factor where an account has one."""

from __future__ import annotations

import datetime as dt
import json
import uuid

from django.contrib.auth.hashers import make_password

from imagefactory.domain.identity.errors import ChallengeOver, SecondFactorAsked, WrongCode, WrongCredentials
from imagefactory.domain.identity.models import SignInRecord, User
from imagefactory.domain.identity.selectors import has_second_factor, user_with_email
from imagefactory.domain.identity.services.checks import MAX_PASSWORD
from imagefactory.domain.identity.services.codes import take_code
from imagefactory.domain.identity.services.records import refused
from imagefactory.domain.identity.services.sessions import Tokens, open_session
from imagefactory.kernel import secrets
from imagefactory.kernel.actor import Actor
from imagefactory.kernel.clock import now
from imagefactory.kernel.errors import Unavailable
from imagefactory.kernel.throttle.check import count_attempt, forget, origin

WINDOW = 900  # seconds
_CHALLENGE_LIFE = 600  # seconds
_HERE, _FROM, _ANYWHERE, _SECOND = "sign in from here", "sign in", "sign in to this account", "enter a code"


def _attempts(actor: Actor, user: User | None, email: str) -> tuple[str, str]:
    # By the account where there is one: the database takes some letters for the same that Python does not.
    account = str(user.pk) if user else email
    return f"{origin(actor.address)}\0{account}", account


def verify_password(actor: Actor, *, email: str, password: str) -> uuid.UUID:
    """Return the id of the person with this e-mail address and password; a second factor is still to be asked for.

    Raises WrongCredentials, or RateLimited, within 15 minutes, after 10 failures for one person from one place, 100 from one
    place, or 50 for one person from anywhere. Takes the same time, and says the same, whether the person exists or not.
    """
    email = email.strip().lower()[:254]
    count_attempt(_HERE, origin(actor.address), limit=100, window_seconds=WINDOW)
    user = user_with_email(email)
    here, account = _attempts(actor, user, email)
    count_attempt(_FROM, here, limit=10, window_seconds=WINDOW)
    count_attempt(_ANYWHERE, account, limit=50, window_seconds=WINDOW)
    if user is None or not user.is_active or len(password) > MAX_PASSWORD or not user.has_usable_password():
        make_password(password[:MAX_PASSWORD])  # as slow as a check
    elif user.check_password(password):
        forget(_FROM, here)
        forget(_ANYWHERE, account)
        return user.id
    reason = "unknown_account" if user is None else "wrong_password" if user.is_active else "account_off"
    refused(actor, user, email, how="password", reason=reason)
    raise WrongCredentials


def forget_attempts(user: User) -> None:
    """Clear what counts against an account: everywhere its history saw an attempt from within the window."""
    places = SignInRecord.objects.filter(user=user, created_at__gte=now() - dt.timedelta(seconds=WINDOW))
    for address in places.values_list("address", flat=True).distinct()[:1000]:
        forget(_FROM, f"{origin(address)}\0{user.pk}")
    forget(_ANYWHERE, str(user.pk))
    forget(_SECOND, str(user.pk))


def verify_second_factor(actor: Actor, user_id: uuid.UUID, code: str) -> str:
    """Return which kind of code this was, `totp` or `recovery_code`; each is taken once.

    Raises WrongCode, or RateLimited after 10 wrong ones within 15 minutes.
    """
    count_attempt(_SECOND, str(user_id), limit=10, window_seconds=WINDOW)
    try:
        kind = take_code(user_id, code)
    except WrongCode:
        user = User.objects.get(id=user_id)
        refused(actor, user, user.email, how="code", reason="wrong_code")
        raise
    forget(_SECOND, str(user_id))
    return kind


def sign_in_to_api(actor: Actor, *, email: str, password: str) -> Tokens:
    """Return tokens for a password, where that is all the account asks for.

    Raises SecondFactorAsked with a challenge for an account with a second factor, else what `verify_password` raises.
    """
    user_id = verify_password(actor, email=email, password=password)
    if has_second_factor(user_id):
        raise SecondFactorAsked(_challenge(user_id))
    return open_session(actor, user_id, how="password")


def _fingerprint(user: User) -> str:
    return user.get_session_auth_hash()[:16]


def _challenge(user_id: uuid.UUID) -> str:
    user = User.objects.get(id=user_id)
    text = json.dumps(
        {"for": "second factor", "user": str(user_id), "hash": _fingerprint(user), "at": now().timestamp()}
    )
    return secrets.encrypt(text).decode()


def answer_challenge(actor: Actor, *, challenge: str, code: str) -> Tokens:
    """Return tokens for the second factor's code after the password was right, within 10 minutes.

    Raises ChallengeOver, WrongCode, RateLimited.
    """
    user = _challenged(challenge)
    kind = verify_second_factor(actor, user.id, code)
    return open_session(actor, user.id, how=f"password+{kind}")


def _challenged(challenge: str) -> User:
    try:
        given = json.loads(secrets.decrypt(challenge.encode()))
        fits = given["for"] == "second factor" and 0 <= now().timestamp() - given["at"] < _CHALLENGE_LIFE
        user = User.objects.filter(id=given["user"], is_active=True).first() if fits else None
    except (Unavailable, ValueError, KeyError, TypeError):
        raise ChallengeOver from None
    if user is None or given["hash"] != _fingerprint(user):
        raise ChallengeOver
    return user


def refuse_security_key(actor: Actor, user_id: uuid.UUID) -> None:
    """Write down that a security key's answer was wrong."""
    user = User.objects.filter(id=user_id).first()
    refused(actor, user, user.email if user else "", how="webauthn", reason="wrong_key")
