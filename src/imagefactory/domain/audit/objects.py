"""Which object an event is about, read from its payload by the names of its fields."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any, Final

# The first field that is there names the object; what is more exact stands first. The label is the first that is there.
_KNOWN: Final[tuple[tuple[str, str, tuple[str, ...]], ...]] = (
    ("build", "build_id", ("number", "name")),
    ("credential", "credential_id", ("name",)),
    ("upload", "upload_id", ("filename", "digest")),
    ("api_key", "key_id", ("name", "prefix")),
    ("invitation", "invitation_id", ("email",)),
    ("service_account", "service_account_id", ("name",)),
    ("role", "role_id", ("name",)),
    ("session", "session_id", ("device", "name")),
    ("identity_provider", "provider_id", ("name",)),
    ("image", "digest", ("repository",)),
    ("image", "repository", ("repository",)),
    ("person", "user_id", ("email", "user_email", "user_name", "name")),
    ("project", "project_id", ("slug", "name")),
)


def object_of(type_: str, tenant_id: uuid.UUID | None, payload: Mapping[str, Any]) -> tuple[str, str, str]:
    """Return kind, id and label of the object; an event may say all three itself as `object_kind`, `object_id`,
    `object_label`.
    """
    if payload.get("object_kind"):
        return str(payload["object_kind"]), str(payload.get("object_id", "")), str(payload.get("object_label", ""))
    area = type_.partition(".")[0]
    own = (area, f"{area}_id", ("name", "slug", "label", "email"))
    for kind, field, labels in (*_KNOWN[:-2], own, *_KNOWN[-2:]):
        if payload.get(field):
            return kind, str(payload[field]), _label(kind, payload, labels)
    if area == "tenant" and tenant_id:
        return "tenant", str(tenant_id), _label("tenant", payload, ("slug", "name"))
    if payload.get("email"):
        return "person", "", str(payload["email"])
    return "", "", ""


def _label(kind: str, payload: Mapping[str, Any], names: tuple[str, ...]) -> str:
    found = next((str(payload[n]) for n in names if payload.get(n)), "")
    return f"#{found}" if kind == "build" and found.isdecimal() else found
