"""What people are told of tenants: their state, their capabilities, their exports."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Iterator
from typing import Final

from imagefactory.domain.identity import selectors as identity
from imagefactory.domain.identity.errors import TenantNotFound
from imagefactory.domain.identity.permissions import CAPABILITY_NAMES, SYSTEM_ROLE_NAMES, Capability, SystemRole
from imagefactory.domain.identity.states import TenantState
from imagefactory.domain.notifications.message import Message
from imagefactory.reactions.envelope import Envelope
from imagefactory.reactions.messages.notice import Notice, recipients_of

# Event type -> (what happened, what it means), with the team's name put in.
_STATES: Final[dict[str, tuple[str, str]]] = {
    "tenant.approved": ("Team {name} is approved", "You can work in it now."),
    "tenant.refused": (
        "Team {name} was not approved",
        "It can be read until it is removed. Whoever runs the installation can bring it back.",
    ),
    "tenant.suspended": (
        "Team {name} is suspended",
        "Pages and images can be read, and nothing can be changed. Running builds finish; queued builds wait.",
    ),
    "tenant.suspension_lifted": (
        "Team {name} is active again",
        "Its people can change things, and queued builds go on.",
    ),
    "tenant.deletion_stopped": ("Team {name} is kept", "Its deletion was stopped; it is as it was before."),
}


def _name(tenant_id: uuid.UUID, slug: str) -> str:
    try:
        return identity.tenant_profile(tenant_id).name
    except TenantNotFound:
        return slug


def created(e: Envelope) -> Iterator[Notice]:
    """Tell administrators of a team that waits for them."""
    if e.payload.get("state") != TenantState.AWAITING_APPROVAL:
        return
    name, slug = e.payload["name"], e.payload["slug"]
    yield Notice(
        "team.awaits_approval",
        recipients_of(identity.administrators()),
        Message(f"Team {name} waits for approval", [f"{e.actor_name} made it just now."],
                ("Look at the team", f"/admin/tenants/{slug}")),
    )  # fmt: skip


def state_changed(e: Envelope) -> Iterator[Notice]:
    """Tell owners what their team's state is now, and why."""
    if e.tenant_id is None:
        return
    slug, (subject, meaning) = str(e.payload["slug"]), _STATES[e.type]
    yield Notice(
        e.type.replace("tenant.", "team."),
        recipients_of(identity.owners_of(e.tenant_id)),
        Message(subject.format(name=_name(e.tenant_id, slug)), [meaning, f"Reason given: {e.payload['reason']}"],
                ("Open the team", f"/t/{slug}/")),
    )  # fmt: skip


def deletion_started(e: Envelope) -> Iterator[Notice]:
    """Tell owners until when they can stop it."""
    if e.tenant_id is None:
        return
    slug, until = str(e.payload["slug"]), dt.datetime.fromisoformat(str(e.payload["delete_after"]))
    name = _name(e.tenant_id, slug)
    yield Notice(
        "team.deletion_started",
        recipients_of(identity.owners_of(e.tenant_id)),
        Message(
            f"Team {name} is being deleted",
            [
                f"{e.actor_name} ordered it. Everything is removed on {until:%-d %B %Y, %H:%M} UTC; until then an owner can stop "
                "it and download the export.",
                f"Reason given: {e.payload['reason']}",
            ],
            ("Stop it or get the export", f"/t/{slug}/settings/danger"),
        ),
    )


def export_ready(e: Envelope) -> Iterator[Notice]:
    """Tell owners that the export can be downloaded."""
    if e.tenant_id is None:
        return
    profile = identity.tenant_profile(e.tenant_id)
    until = dt.datetime.fromisoformat(str(e.payload["expires_at"]))
    yield Notice(
        "team.export_ready",
        recipients_of(identity.owners_of(e.tenant_id)),
        Message(f"The export of team {profile.name} is ready",
                [f"It can be downloaded until {until:%-d %B %Y, %H:%M} UTC."],
                ("Download it", f"/t/{profile.slug}/settings/danger")),
    )  # fmt: skip


def capability_changed(e: Envelope) -> Iterator[Notice]:
    """Tell owners what their team may use from now on, or no more."""
    if e.tenant_id is None:
        return
    slug, what = str(e.payload["slug"]), CAPABILITY_NAMES[Capability(str(e.payload["capability"]))].capitalize()
    on = "on" if e.payload["after"] else "off"
    yield Notice(
        "team.capability_changed",
        recipients_of(identity.owners_of(e.tenant_id)),
        Message(f"{what} is switched {on} for team {_name(e.tenant_id, slug)}", [f"Reason given: {e.payload['reason']}"],
                ("What the team may use", f"/t/{slug}/settings/capabilities")),
    )  # fmt: skip


def capability_requested(e: Envelope) -> Iterator[Notice]:
    """Tell administrators what a team asks for."""
    slug, what = str(e.payload["slug"]), CAPABILITY_NAMES[Capability(str(e.payload["capability"]))]
    said = str(e.payload.get("message") or "")
    yield Notice(
        "team.capability_requested",
        recipients_of(identity.administrators()),
        Message(f"Team {slug} asks for {what}", [f"{e.actor_name} asks for it.", *([f"They write: {said}"] if said else [])],
                ("Switch it on", f"/admin/tenants/{slug}/capabilities")),
    )  # fmt: skip


def system_role_changed(e: Envelope) -> Iterator[Notice]:
    """Tell the person: who can change the installation is a matter of its security."""
    person = identity.person(uuid.UUID(str(e.payload["user_id"])))
    if person is None:
        return
    name = SYSTEM_ROLE_NAMES[SystemRole(str(e.payload["role"]))].lower()
    verb = "You have" if e.type.endswith("granted") else "You no longer have"
    yield Notice(
        "security.system_role",
        recipients_of([person]),
        Message(f"{verb} the system role {name}", [f"Changed by {e.actor_name}. Reason given: {e.payload['reason']}"],
                ("Your account", "/me/profile")),
    )  # fmt: skip
