"""What is wrong with a name, an address, a password: shared by the services that take them."""

from __future__ import annotations

import zoneinfo

from django.contrib.auth import password_validation
from django.core.exceptions import ValidationError
from django.core.validators import validate_email

from imagefactory.domain.identity.models import Tenant, User
from imagefactory.domain.identity.selectors import user_with_email
from imagefactory.kernel import ids

MAX_PASSWORD = 1000  # characters; hashing a longer one would be a way to keep the factory busy


def person_errors(name: str, zone: str) -> dict[str, list[str]]:
    wrong: dict[str, list[str]] = {}
    if not 1 <= len(name.strip()) <= 120:
        wrong["name"] = ["Give your name, in at most 120 characters."]
    if zone not in zoneinfo.available_timezones():
        wrong["time_zone"] = ["There is no such time zone. Choose one from the list, such as Europe/Stockholm."]
    return wrong


def email_errors(email: str) -> list[str]:
    if len(email) > 254:
        return ["This e-mail address is longer than 254 characters."]
    try:
        validate_email(email)
    except ValidationError:
        return ["This is not an e-mail address. It looks like name@example.com."]
    if user_with_email(email) is not None:
        return ["There is an account with this e-mail address. Sign in instead."]
    return []


def password_errors(password: str, user: User) -> list[str]:
    if len(password) > MAX_PASSWORD:
        return [f"This password is longer than {MAX_PASSWORD:,} characters."]
    try:
        password_validation.validate_password(password, user)
    except ValidationError as error:
        return list(error.messages)
    return []


def tenant_errors(name: str, slug: str) -> dict[str, list[str]]:
    if not 1 <= len(name.strip()) <= 120:
        return {"name": ["Give the team a name, in at most 120 characters."]}
    if not ids.is_slug(slug):
        return {"slug": [f"The short name is {ids.SLUG_RULE}. Choose one that stands in addresses and image names."]}
    if slug in ids.RESERVED_SLUGS or Tenant.objects.filter(slug=slug).exists():
        return {"slug": [f"The short name {slug} is taken. Choose another."]}
    return {}
