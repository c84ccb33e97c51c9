"""The profile of a tenant: name, logo, time zone, language, addresses."""

from __future__ import annotations

import hashlib
import uuid
import zoneinfo
from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import transaction
from django.db.models import F

from imagefactory.domain.identity import events, policies
from imagefactory.domain.identity.errors import StaleTenant, TenantNotFound
from imagefactory.domain.identity.models import Tenant, TenantLogo
from imagefactory.domain.identity.permissions import LANGUAGES
from imagefactory.domain.identity.services.checks import tenant_name_errors
from imagefactory.kernel.actor import Actor
from imagefactory.kernel.authorize import authorize
from imagefactory.kernel.clock import now
from imagefactory.kernel.errors import TooLarge, ValidationFailed
from imagefactory.kernel.outbox.emit import emit
from imagefactory.kernel.pictures import picture_of

MAX_LOGO_BYTES = 200_000
MAX_LOGO_SIDE = 1024  # pixels
PROFILE = ("name", "time_zone", "language", "contact_email", "support_email")


def update_tenant(actor: Actor, tenant_id: uuid.UUID, *, if_version: int | None = None, **given: str) -> None:
    """Change the fields of PROFILE that are given; `slug` may be given too, and only as it is.

    Raises TenantNotFound, PermissionDenied, ValidationFailed, StaleTenant when `if_version` is not the present one.
    """
    authorize(policies.may_change_tenant(actor, tenant_id))
    before = Tenant.objects.filter(id=tenant_id).first()
    if before is None:
        raise TenantNotFound
    fields = {name: given[name].strip() for name in PROFILE if name in given}
    wrong = _profile_errors(fields)
    if given.get("slug", before.slug) != before.slug:
        wrong["slug"] = [
            f"The short name stays {before.slug}: it stands in the names of images that people and clusters pull. Make a new "
            "team under the other name, and copy the images that are to move."
        ]
    if wrong:
        raise ValidationFailed(wrong)
    _change(actor, before, if_version, fields)


def _profile_errors(fields: dict[str, str]) -> dict[str, list[str]]:
    wrong: dict[str, list[str]] = {}
    if "name" in fields:
        wrong |= tenant_name_errors(fields["name"])
    if fields.get("time_zone", "UTC") not in zoneinfo.available_timezones():
        wrong["time_zone"] = ["There is no such time zone. Choose one from the list, such as Europe/Stockholm."]
    if fields.get("language", "en") not in LANGUAGES:
        wrong["language"] = [f"Choose one of {', '.join(LANGUAGES)}."]
    for name in ("contact_email", "support_email"):
        try:
            if fields.get(name):
                validate_email(fields[name])
        except ValidationError:
            wrong[name] = ["This is not an e-mail address. It looks like name@example.com; leave it empty for none."]
        if len(fields.get(name, "")) > 254:
            wrong[name] = ["This e-mail address is longer than 254 characters."]
    return wrong


def _change(actor: Actor, before: Tenant, if_version: int | None, fields: dict[str, Any]) -> None:
    """Write what differs, by compare-and-set on the version that was read."""
    old = {name: getattr(before, name) for name in fields if getattr(before, name) != fields[name]}
    expected = before.version if if_version is None else if_version
    with transaction.atomic():
        changed = Tenant.objects.filter(id=before.id, version=expected).update(
            **fields, version=F("version") + (1 if old else 0), updated_at=now()
        )
        if not changed:
            raise StaleTenant
        if old:
            emit(actor, events.TenantChanged(before.id, before.slug, old, {name: fields[name] for name in old}))


def set_logo(actor: Actor, tenant_id: uuid.UUID, content: bytes) -> None:
    """Show this picture for the tenant: PNG, JPEG or WebP, told by its bytes.

    Raises TenantNotFound, PermissionDenied, ValidationFailed, TooLarge above MAX_LOGO_BYTES.
    """
    authorize(policies.may_change_tenant(actor, tenant_id))
    if len(content) > MAX_LOGO_BYTES:
        raise TooLarge(
            f"The logo is larger than {MAX_LOGO_BYTES // 1000} kB. Make it smaller; {MAX_LOGO_SIDE} pixels are the most.",
            limit_bytes=MAX_LOGO_BYTES,
        )
    found = picture_of(content)
    if found is None:
        about = "An SVG can carry scripts, so it is not shown here. " if b"<svg" in content[:1000].lower() else ""
        raise ValidationFailed(
            {"logo": [f"{about}Upload a PNG, JPEG or WebP file; its content is looked at, not its name."]}
        )
    if not (0 < found.width <= MAX_LOGO_SIDE and 0 < found.height <= MAX_LOGO_SIDE):
        raise ValidationFailed(
            {
                "logo": [
                    f"The logo is {found.width} by {found.height} pixels. Make it {MAX_LOGO_SIDE} by {MAX_LOGO_SIDE} at most."
                ]
            }
        )
    digest = hashlib.sha256(content).hexdigest()
    with transaction.atomic():
        tenant = Tenant.objects.select_for_update().filter(id=tenant_id).first()
        if tenant is None:
            raise TenantNotFound
        old = TenantLogo.objects.filter(tenant=tenant).values_list("digest", flat=True).first() or ""
        if old == digest:
            return
        TenantLogo.objects.update_or_create(
            tenant=tenant, defaults={"media_type": found.media_type, "digest": digest, "content": content}
        )
        emit(actor, events.TenantChanged(tenant.id, tenant.slug, {"logo": old}, {"logo": digest}))


def remove_logo(actor: Actor, tenant_id: uuid.UUID) -> None:
    """Show no picture for the tenant any more. Safe to repeat.

    Raises TenantNotFound, PermissionDenied.
    """
    authorize(policies.may_change_tenant(actor, tenant_id))
    with transaction.atomic():
        logo = TenantLogo.objects.select_for_update().select_related("tenant").filter(tenant_id=tenant_id).first()
        if logo is not None:
            emit(actor, events.TenantChanged(tenant_id, logo.tenant.slug, {"logo": logo.digest}, {"logo": ""}))
            logo.delete()
