"""What is wrong with a name, an address, a password: shared by the services that take them."""

from __future__ import annotations

import logging
import unicodedata
import zoneinfo

from django.contrib.auth import password_validation
from django.core.exceptions import ValidationError
from django.core.validators import validate_email

from imagefactory.adapters.passwords.breached import is_breached
from imagefactory.domain.identity.models import RetiredSlug, Tenant, User
from imagefactory.domain.identity.selectors import user_with_email
from imagefactory.kernel import env, ids
from imagefactory.kernel.names import not_ascii
from imagefactory.kernel.text import plain_text_errors

log = logging.getLogger(__name__)
MAX_PASSWORD = 1000  # characters; hashing a longer one would be a way to keep the factory busy
MIN_PASSWORD = 10
_SENTENCES = {
    "password_too_short": f"This password is too short: it needs at least {MIN_PASSWORD} characters.",
    "password_too_common": "This password is one of the most used ones, which are tried first. Choose another.",
    "password_too_similar": "This password is too similar to your name or e-mail address. Choose another.",
}


def person_errors(name: str, zone: str) -> dict[str, list[str]]:
    wrong: dict[str, list[str]] = {}
    if not 1 <= len(name.strip()) <= 120:
        wrong["name"] = ["Give your name, in at most 120 characters."]
    elif strange := plain_text_errors(name):
        wrong["name"] = strange
    if zone not in zoneinfo.available_timezones():
        wrong["time_zone"] = ["There is no such time zone. Choose one from the list, such as Europe/Stockholm."]
    return wrong


def address_errors(email: str) -> list[str]:
    """Return what is wrong with an address as such, whoever has it."""
    if len(email) > 254:
        return ["This e-mail address is longer than 254 characters."]
    try:
        validate_email(email)
    except ValidationError:
        return ["This is not an e-mail address. It looks like name@example.com."]
    name, _, host = email.rpartition("@")
    # The database takes some of them for the letters that they look like, and so for someone else's address.
    if not name.isascii() or unicodedata.normalize("NFKC", host) != host:
        return [
            "Write the e-mail address with the plain letters a to z; one of its letters only looks like one of them."
        ]
    return plain_text_errors(email)


def email_errors(email: str) -> list[str]:
    if wrong := address_errors(email):
        return wrong
    if user_with_email(email) is not None:
        return ["There is an account with this e-mail address. Sign in instead."]
    return []


def password_errors(password: str, user: User) -> list[str]:
    if len(password) > MAX_PASSWORD:
        return [f"This password is longer than {MAX_PASSWORD:,} characters."]
    try:
        password_validation.validate_password(password, user)
    except ValidationError as error:
        return [_SENTENCES.get(str(e.code), " ".join(e.messages)) for e in error.error_list]
    return _breach_errors(password)


def _breach_errors(password: str) -> list[str]:
    path = env.get().breached_passwords
    try:
        if path is not None and is_breached(password, path):
            return ["This password is known from a breach of another site, so it is tried first. Choose another."]
    except OSError as error:
        # The list is a help; without it, passwords are as strong as on an installation that has none.
        log.warning("the list of breached passwords cannot be read: %s", error)
    return []


def tenant_name_errors(name: str) -> dict[str, list[str]]:
    if not 1 <= len(name.strip()) <= 120:
        return {"name": ["Give the team a name, in at most 120 characters."]}
    if strange := plain_text_errors(name):
        return {"name": strange}
    return {}


def tenant_errors(name: str, slug: str) -> dict[str, list[str]]:
    if wrong := tenant_name_errors(name):
        return wrong
    if about := not_ascii(slug):
        return {"slug": [about]}
    if not ids.is_slug(slug):
        return {"slug": [f"The short name is {ids.SLUG_RULE}. Choose one that stands in addresses and image names."]}
    if (
        slug in ids.RESERVED_SLUGS
        or Tenant.objects.filter(slug=slug).exists()
        or RetiredSlug.objects.filter(slug=slug).exists()
    ):
        return {"slug": [f"The short name {slug} is taken. Choose another."]}
    return {}
