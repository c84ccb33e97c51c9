"""Security keys and passkeys: the exchanges with the browser, which django-allauth and python-fido2 check."""

from __future__ import annotations

import contextlib
import json
import struct
import uuid
from collections.abc import Iterator
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from allauth.mfa.webauthn.internal import auth
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from django.contrib.auth import get_user_model
from django.core.exceptions import ValidationError
from django.http import HttpRequest

from imagefactory.domain.identity import services
from imagefactory.domain.identity.errors import WrongSecurityKey
from imagefactory.entry.http.actors import anonymous
from imagefactory.kernel import env

# What parsers of JSON, CBOR and keys raise about bytes that someone made up.
_UNREADABLE = (
    ValidationError, ValueError, TypeError, LookupError, AttributeError, ArithmeticError, RecursionError, struct.error,
    InvalidSignature, UnsupportedAlgorithm,
)  # fmt: skip
MAX_ANSWER = 40_000  # characters of JSON; attestations are a few thousand


def obstacle() -> str:
    """Return why security keys cannot work on this installation, or nothing: browsers want https and a name (WebAuthn, 5.1)."""
    url = urlsplit(env.get().public_url)
    host = url.hostname or ""
    with contextlib.suppress(ValueError):
        ip_address(host)
        return "Browsers offer security keys only to sites with a host name, and this one is reached by a number."
    if url.scheme != "https" and host != "localhost" and not host.endswith(".localhost"):
        return "Browsers offer security keys only to https sites, and this one is reached over http."
    return ""


def _text(options: dict[str, Any]) -> str:
    return json.dumps(json.loads(json.dumps(options["publicKey"], default=dict)))


def registration(user_id: uuid.UUID, *, passkey: bool) -> str:
    """Return what the browser needs to make a new credential, as JSON; the challenge stays in the session."""
    return _text(auth.begin_registration(get_user_model().objects.get(pk=user_id), passkey))


def question(user_id: uuid.UUID | None) -> str:
    """Return what the browser asks a key to sign in, as JSON: one of this person's, or any passkey."""
    user = get_user_model().objects.get(pk=user_id) if user_id else None
    return _text(auth.begin_authentication(user))


@contextlib.contextmanager
def _strict() -> Iterator[None]:
    """Turn what the libraries raise about an answer from outside into the one refusal."""
    try:
        yield
    except _UNREADABLE as error:
        raise WrongSecurityKey from error


def _read(answer: str) -> dict[str, Any]:
    if len(answer) > MAX_ANSWER:
        raise WrongSecurityKey
    with _strict():
        found = json.loads(answer)
        if not isinstance(found, dict):
            raise TypeError
    return found


def registered(answer: str) -> dict[str, Any]:
    """Return the new credential, after its challenge, origin and signature were checked.

    Raises WrongSecurityKey.
    """
    given = _read(answer)
    with _strict():
        auth.parse_registration_response(given)
        auth.complete_registration(given)
    # Only what is read again; a browser may add what it likes.
    names = ("id", "rawId", "type", "response", "clientExtensionResults")
    return {str(name): given[name] for name in names if name in given}


def answered(request: HttpRequest, user_id: uuid.UUID, answer: str) -> int:
    """Return which of this person's keys signed the challenge of this page.

    Raises WrongSecurityKey, which stands in their history.
    """
    try:
        given = _read(answer)
        with _strict():
            auth.parse_authentication_response(given)
            row = auth.complete_authentication(get_user_model().objects.get(pk=user_id), given)
    except WrongSecurityKey:
        services.refuse_security_key(anonymous(request), user_id)
        raise
    services.record_key_used(user_id, row.pk)
    return int(row.pk)


def owner(answer: str) -> uuid.UUID:
    """Return whose passkey an answer claims to be of; `answered` checks it.

    Raises WrongSecurityKey.
    """
    given = _read(answer)
    with _strict():
        user = auth.extract_user_from_response(given)
    if not user.is_active:
        raise WrongSecurityKey
    return uuid.UUID(str(user.pk))
