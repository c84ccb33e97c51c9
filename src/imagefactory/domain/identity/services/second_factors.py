"""Setting up and removing second factors; django-allauth keeps them, its adapter encrypts their secrets."""

from __future__ import annotations

import dataclasses
import json
import uuid
from collections.abc import Mapping
from typing import Any

from allauth.mfa.adapter import get_adapter
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import generate_totp_secret
from allauth.mfa.utils import encrypt
from django.db import transaction

from imagefactory.domain.identity import events, policies
from imagefactory.domain.identity.errors import FactorNotFound
from imagefactory.domain.identity.models import User
from imagefactory.domain.identity.services.codes import counter_of, plain_code
from imagefactory.kernel import secrets
from imagefactory.kernel.actor import Actor
from imagefactory.kernel.authorize import authorize
from imagefactory.kernel.clock import now
from imagefactory.kernel.errors import Conflict, Unavailable, ValidationFailed
from imagefactory.kernel.outbox.emit import emit
from imagefactory.kernel.text import plain_text_errors
from imagefactory.kernel.throttle.check import count_attempt

MAX_KEYS = 20
_SETUP_LIFE = 1800  # seconds


@dataclasses.dataclass(frozen=True)
class AppSetup:
    """What an authenticator app needs, and what comes back with its first code: `setup` holds the key, encrypted."""

    key: str
    uri: str
    setup: str


def begin_app(actor: Actor) -> AppSetup:
    """Return the key of a new authenticator app; nothing is kept until `confirm_app` gets its first code."""
    authorize(policies.may_act_as_person(actor))
    user, key = User.objects.get(id=actor.person), generate_totp_secret()
    text = json.dumps({"for": "app", "user": str(user.id), "key": key, "at": now().timestamp()})
    return AppSetup(key, get_adapter().build_totp_url(user, key), secrets.encrypt(text).decode())


def resume_app(actor: Actor, setup: str) -> AppSetup | None:
    """Return the set-up that this page began, to show the same key again; None when it is too old or another person's."""
    try:
        given = json.loads(secrets.decrypt(setup.encode()))
        mine = given["for"] == "app" and given["user"] == str(actor.person)
        if not mine or not 0 <= now().timestamp() - given["at"] < _SETUP_LIFE:
            return None
        key = str(given["key"])
    except (Unavailable, ValueError, KeyError, TypeError):
        return None
    user = User.objects.get(id=actor.person)
    return AppSetup(key, get_adapter().build_totp_url(user, key), setup)


def confirm_app(actor: Actor, *, setup: str, code: str) -> list[str]:
    """Add the authenticator app that shows `code`, and return new recovery codes, or none when there are some already.

    Callers ask `prove_again` first. Raises ValidationFailed, Conflict when there is an app already, RateLimited.
    """
    authorize(policies.may_act_as_person(actor))
    count_attempt("set up an app", str(actor.user_id), limit=20, window_seconds=900)
    begun = resume_app(actor, setup)
    if begun is None:
        raise ValidationFailed({"code": ["This page was open for too long. Reload it and scan the new picture."]})
    counter = counter_of(begun.key, plain_code(code))
    if counter is None:
        wrong = (
            "This code does not fit. Check the clock of the device, wait for the next code, and type its six digits."
        )
        raise ValidationFailed({"code": [wrong]})
    with transaction.atomic():
        user = User.objects.select_for_update().get(id=actor.person)
        if Authenticator.objects.filter(user=user, type=Authenticator.Type.TOTP).exists():
            raise Conflict("This account has an authenticator app already. Remove that one first.")
        data = {"secret": encrypt(begun.key), "last_counter": counter}
        Authenticator.objects.create(user=user, type=Authenticator.Type.TOTP, data=data)
        emit(actor, events.SecondFactorAdded(None, user.id, "totp"))
        return _codes_if_none(actor, user)


def _name_errors(name: str) -> dict[str, list[str]]:
    if not 1 <= len(name.strip()) <= 80:
        return {"name": ["Name the key, in at most 80 characters, such as “blue key” or “laptop”."]}
    if strange := plain_text_errors(name):
        return {"name": strange}
    return {}


def key_errors(actor: Actor, name: str) -> dict[str, list[str]]:
    """Return what is wrong with the name of one more security key, or with having one more."""
    if wrong := _name_errors(name):
        return wrong
    if Authenticator.objects.filter(user_id=actor.person, type=Authenticator.Type.WEBAUTHN).count() >= MAX_KEYS:
        return {"name": [f"An account has at most {MAX_KEYS} security keys. Remove one that is not used any more."]}
    return {}


def check_key_name(actor: Actor, name: str) -> None:
    """Return when one more security key may have this name. Raises ValidationFailed."""
    if wrong := key_errors(actor, name):
        raise ValidationFailed(wrong)


def add_key(actor: Actor, *, name: str, credential: Mapping[str, Any]) -> list[str]:
    """Add a security key or passkey whose answer was verified just now; returns as `confirm_app`.

    Raises ValidationFailed, Conflict when this very key is there already.
    """
    authorize(policies.may_act_as_person(actor))
    check_key_name(actor, name)
    with transaction.atomic():
        user = User.objects.select_for_update().get(id=actor.person)
        taken = Authenticator.objects.filter(
            type=Authenticator.Type.WEBAUTHN, data__credential__id=credential.get("id")
        )
        if taken.exists():
            raise Conflict("This security key is registered already. Use another one.")
        data = {"name": name.strip(), "credential": dict(credential)}
        Authenticator.objects.create(user=user, type=Authenticator.Type.WEBAUTHN, data=data)
        emit(actor, events.SecondFactorAdded(None, user.id, "webauthn", name.strip()))
        return _codes_if_none(actor, user)


def rename_key(actor: Actor, factor_id: int, name: str) -> None:
    """Raises FactorNotFound, ValidationFailed."""
    authorize(policies.may_act_as_person(actor))
    with transaction.atomic():
        row = _own(actor, factor_id, Authenticator.Type.WEBAUTHN)
        if wrong := _name_errors(name):
            raise ValidationFailed(wrong)
        before, row.data["name"] = str(row.data["name"]), name.strip()
        row.save(update_fields=["data"])
        emit(actor, events.SecondFactorRenamed(None, actor.person, before, name.strip()))


def remove_factor(actor: Actor, factor_id: int) -> None:
    """Remove an app or a key; the recovery codes go with the last of them. Callers ask `prove_again` first.

    Raises FactorNotFound.
    """
    authorize(policies.may_act_as_person(actor))
    with transaction.atomic():
        User.objects.select_for_update().get(id=actor.person)
        row = _own(actor, factor_id)
        kind, name = str(row.type), str(row.data.get("name", ""))
        row.delete()
        rest = Authenticator.objects.filter(user_id=actor.person)
        if not rest.exclude(type=Authenticator.Type.RECOVERY_CODES).exists():
            rest.delete()
        emit(actor, events.SecondFactorRemoved(None, actor.person, kind, name))


def _own(actor: Actor, factor_id: int, kind: str = "") -> Authenticator:
    rows = Authenticator.objects.select_for_update().filter(pk=factor_id, user_id=actor.person)
    row = rows.exclude(type=Authenticator.Type.RECOVERY_CODES).first()
    if row is None or (kind and row.type != kind):
        raise FactorNotFound
    return row


def new_recovery_codes(actor: Actor) -> list[str]:
    """Return ten new recovery codes, the only time that they are seen; the old ones stop working.

    Callers ask `prove_again` first. Raises Conflict without a second factor.
    """
    authorize(policies.may_act_as_person(actor))
    with transaction.atomic():
        user = User.objects.select_for_update().get(id=actor.person)
        mine = Authenticator.objects.filter(user=user)
        if not mine.exclude(type=Authenticator.Type.RECOVERY_CODES).exists():
            raise Conflict("Recovery codes stand in for a second factor, and this account has none. Set one up first.")
        mine.filter(type=Authenticator.Type.RECOVERY_CODES).delete()
        return _codes_if_none(actor, user)


def _codes_if_none(actor: Actor, user: User) -> list[str]:
    if Authenticator.objects.filter(user=user, type=Authenticator.Type.RECOVERY_CODES).exists():
        return []
    codes = RecoveryCodes.activate(user).generate_codes()
    emit(actor, events.RecoveryCodesMade(None, user.id))
    return [f"{c[:4]}-{c[4:]}" for c in codes]


def record_key_used(user_id: uuid.UUID, factor_id: int) -> None:
    """Note that a key signed someone in."""
    for row in Authenticator.objects.filter(pk=factor_id, user_id=user_id):
        row.record_usage()
