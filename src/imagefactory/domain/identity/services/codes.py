"""Codes of second factors: django-allauth computes and keeps them, and here each is taken once, by whichever process."""

from __future__ import annotations

import re
import uuid

from allauth.core.internal.cryptokit import compare_user_code
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value, yield_hotp_counters_from_time
from allauth.mfa.utils import decrypt
from django.db import transaction

from imagefactory.domain.identity.errors import WrongCode


def plain_code(code: str) -> str:
    """Return a code as typed by a person without the blanks and hyphens that people group digits with."""
    return re.sub(r"[\s-]", "", code[:40])


def counter_of(secret: str, code: str) -> int | None:
    """Return which half minute (RFC 6238) this code belongs to: the present one or a neighbour, or None for a wrong code."""
    for counter in yield_hotp_counters_from_time():
        if compare_user_code(actual=code, expected=format_hotp_value(hotp_value(secret, counter))):
            return int(counter)
    return None


def take_code(user_id: uuid.UUID, code: str) -> str:
    """Use up a code and return its kind, `totp` or `recovery_code`.

    django-allauth remembers used codes in a cache of the process; several processes need the row. A TOTP code is taken only
    when it is younger than the last one taken (RFC 6238, section 5.2), so none works twice.

    Raises WrongCode.
    """
    typed = plain_code(code)
    if not typed.isascii() or not typed.isdigit():
        raise WrongCode
    with transaction.atomic():
        mine = Authenticator.objects.select_for_update().filter(user_id=user_id)
        for row in mine.exclude(type=Authenticator.Type.WEBAUTHN).order_by("pk"):
            if row.type == Authenticator.Type.RECOVERY_CODES:
                taken = bool(row.wrap().validate_code(typed))
            else:
                taken = _take_totp(row, typed)
            if taken:
                row = Authenticator.objects.get(pk=row.pk)  # noqa: PLW2901 - the wrapper wrote another object of this row
                row.record_usage()
                return "recovery_code" if row.type == Authenticator.Type.RECOVERY_CODES else "totp"
    raise WrongCode


def _take_totp(row: Authenticator, code: str) -> bool:
    counter = counter_of(decrypt(row.data["secret"]), code)
    if counter is None or counter <= row.data.get("last_counter", -1):
        return False
    row.data["last_counter"] = counter
    row.save(update_fields=["data"])
    return True
