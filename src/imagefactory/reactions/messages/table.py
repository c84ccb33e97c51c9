"""The list of every event that people are told of, and who composes what they read."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

from imagefactory.reactions.envelope import Envelope
from imagefactory.reactions.messages import builds, tenants
from imagefactory.reactions.messages.notice import Notice

Composer = Callable[[Envelope], Iterable[Notice]]

COMPOSERS: Final[dict[str, Composer]] = {
    "build.failed": builds.failed,
    "capability.changed": tenants.capability_changed,
    "capability.requested": tenants.capability_requested,
    "member.system_role_granted": tenants.system_role_changed,
    "member.system_role_revoked": tenants.system_role_changed,
    "tenant.approved": tenants.state_changed,
    "tenant.created": tenants.created,
    "tenant.deletion_started": tenants.deletion_started,
    "tenant.deletion_stopped": tenants.state_changed,
    "tenant.export_ready": tenants.export_ready,
    "tenant.refused": tenants.state_changed,
    "tenant.suspended": tenants.state_changed,
    "tenant.suspension_lifted": tenants.state_changed,
}
