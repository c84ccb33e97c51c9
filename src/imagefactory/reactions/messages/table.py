"""The list of every event that people are told of, and who composes what they read."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

from imagefactory.reactions.envelope import Envelope
from imagefactory.reactions.messages import builds, keys, sign_in, team, tenants
from imagefactory.reactions.messages.notice import Notice

Composer = Callable[[Envelope], Iterable[Notice]]

COMPOSERS: Final[dict[str, Composer]] = {
    "access.decided": team.access_decided,
    "access.requested": team.access_requested,
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
    "invitation.accepted": team.invitation_accepted,
    "invitation.asked_again": team.invitation_asked_again,
    "invitation.created": team.invitation,
    "invitation.resent": team.invitation,
    "member.removed": team.member_removed,
    "member.role_set": team.role_set,
    "member.email_change_asked": sign_in.email_change_asked,
    "member.email_changed": sign_in.email_changed,
    "member.email_confirmation_asked": sign_in.confirmation_asked,
    "member.password_changed": sign_in.password_changed,
    "member.password_reset_asked": sign_in.reset_asked,
    "member.recovery_codes_made": sign_in.codes_made,
    "member.second_factor_added": sign_in.factor_added,
    "member.second_factor_removed": sign_in.factor_removed,
    "member.sign_up_repeated": sign_in.sign_up_repeated,
    "member.signed_in": sign_in.signed_in,
    "key.expiring": keys.expiring,
}
