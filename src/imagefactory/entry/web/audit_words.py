"""What happened, in plain words: one sentence for each type of event, said of whoever did it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from imagefactory.domain.identity.permissions import CAPABILITY_NAMES, SYSTEM_ROLE_NAMES
from imagefactory.entry.web.rights import LABELS

# Every event has its line here; tests/audit/test_sentences.py finds one without. The object stands beside it in the list.
SENTENCES: Final[Mapping[str, str]] = {
    "access.decided": "Decided on a request for access: {decision}",
    "access.requested": "Asked to be allowed to {permission}",
    "audit.exported": "Exported {rows} entries of the audit trail as {format}",
    "audit.refused": "Was refused: {reason}",
    "audit.signing_key_rotated": "Changed the key that signs the audit trail",
    "audit.trimmed": "Removed the audit entries of {month} by retention",
    "build.cancel_requested": "Asked to cancel a running build",
    "build.cancelled": "Cancelled a build",
    "build.completed": "Finished a build with success",
    "build.created": "Created a build",
    "build.execution.dispatch_failed": "Could not start a build: {reason}",
    "build.execution.lost": "Lost the worker {worker} of a running build",
    "build.failed": "Ended a build as failed: {message}",
    "build.queued": "Put a build into the queue ({why})",
    "build.started": "Began to run a build on {worker}",
    "capability.changed": "Switched {capability} {after}",
    "capability.requested": "Asked for {capability}",
    "image.published": "Published an image",
    "image.removed": "Removed an image",
    "invitation.accepted": "Accepted an invitation as {role}",
    "invitation.asked_again": "Asked for a new invitation",
    "invitation.cancelled": "Cancelled an invitation",
    "invitation.created": "Invited someone as {role}",
    "invitation.expired": "Let an invitation run out",
    "invitation.resent": "Sent an invitation again",
    "key.ci_issued": "Gave a CI job a key",
    "key.expiring": "Warned that a key stops working in {days_left} days",
    "member.account_helped": "Helped with an account: {what}",
    "member.account_restored": "Restored an account",
    "member.account_suspended": "Suspended an account",
    "member.api_key_created": "Made an API key",
    "member.api_key_revoked": "Revoked an API key",
    "member.api_key_rotated": "Rotated an API key",
    "member.directory_roles_applied": "Set a person's roles as the directory says",
    "member.email_change_asked": "Asked to change their e-mail address",
    "member.email_changed": "Changed their e-mail address from {before} to {after}",
    "member.email_confirmation_asked": "Asked for a letter that confirms their e-mail address",
    "member.email_confirmed": "Confirmed their e-mail address",
    "member.identity_linked": "Linked a sign-in with {provider_name}",
    "member.identity_unlinked": "Removed the sign-in with {provider_name}",
    "member.joined": "Joined the team as {role}",
    "member.password_change_forced": "Made a person set a new password",
    "member.password_changed": "Changed their password",
    "member.password_reset_asked": "Asked for a link to set a new password",
    "member.profile_changed": "Changed their profile",
    "member.provider_sign_in_refused": "Tried to sign in with {provider_name} and was refused",
    "member.recovery_codes_made": "Made new recovery codes",
    "member.removed": "Removed a person from the team",
    "member.role_set": "Changed a person's role from {before} to {after}",
    "member.second_factor_added": "Added a second factor: {kind}",
    "member.second_factor_removed": "Removed a second factor: {kind}",
    "member.second_factor_renamed": "Renamed a security key from {before} to {after}",
    "member.sessions_ended": "Ended sign-ins",
    "member.sign_in_refused": "Tried to sign in and was refused",
    "member.sign_in_unlocked": "Unlocked an account's sign-in",
    "member.sign_up_repeated": "Tried to sign up with an address that has an account",
    "member.signed_in": "Signed in with {how}",
    "member.signed_out": "Signed out",
    "member.system_role_granted": "Granted the system role {role}",
    "member.system_role_revoked": "Took away the system role {role}",
    "notification.email_set": "Chose which e-mails to get",
    "project.archive_uploaded": "Uploaded a source archive",
    "project.archived": "Archived a project",
    "project.changed": "Changed a project's settings",
    "project.created": "Created a project",
    "project.credential_created": "Added a credential",
    "project.credential_deleted": "Deleted a credential",
    "project.deleted": "Deleted a project",
    "project.restored": "Restored an archived project",
    "role.changed": "Changed a role",
    "role.created": "Created a role",
    "role.deleted": "Deleted a role",
    "service_account.changed": "Changed a service account",
    "service_account.created": "Created a service account",
    "service_account.deleted": "Deleted a service account",
    "service_account.disabled": "Switched a service account off",
    "service_account.enabled": "Switched a service account on",
    "tenant.approved": "Approved the team",
    "tenant.changed": "Changed the team's profile",
    "tenant.ci_trust_changed": "Changed a rule for CI jobs",
    "tenant.created": "Created the team",
    "tenant.deletion_started": "Began to delete the team",
    "tenant.deletion_stopped": "Stopped the deletion of the team",
    "tenant.export_downloaded": "Downloaded the team's export",
    "tenant.export_ready": "Finished the team's export",
    "tenant.export_requested": "Asked for an export of the team",
    "tenant.identity_provider_changed": "Changed a sign-in provider",
    "tenant.identity_provider_created": "Added a sign-in provider",
    "tenant.identity_provider_deleted": "Deleted a sign-in provider",
    "tenant.ip_list_changed": "Changed the networks that requests are taken from",
    "tenant.key_policy_changed": "Changed how long keys may live",
    "tenant.refused": "Refused the team",
    "tenant.removed": "Removed the team and all that it had",
    "tenant.second_factor_policy_set": "Switched the team's second-factor rule {after}",
    "tenant.suspended": "Suspended the team",
    "tenant.suspension_lifted": "Lifted the suspension of the team",
}

# What events say in codes.
_PLAIN: Final[Mapping[str, str]] = {
    "True": "on",
    "False": "off",
    "totp": "an authenticator app",
    "webauthn": "a security key",
    "recovery_codes": "recovery codes",
    "unlock": "unlocked its sign-in",
    "force_password_change": "asked for a new password",
    **{str(role): name.lower() for role, name in SYSTEM_ROLE_NAMES.items()},
    **{str(capability): name for capability, name in CAPABILITY_NAMES.items()},
    **{str(permission): label.lower() for permission, label in LABELS.items()},
}


class _Fields(dict[str, str]):
    def __missing__(self, name: str) -> str:
        return "nothing"


def sentence(type_: str, details: Mapping[str, Any], before: object = None, after: object = None) -> str:
    """Return the sentence of an entry; for a type that has none, the type in words."""
    known = SENTENCES.get(type_)
    if known is None:
        return type_.replace(".", " ").replace("_", " ").capitalize()
    sides = {"before": _bare(before), "after": _bare(after)}
    fields = _Fields({k: _plain(v) for k, v in {**details, **sides}.items() if v not in (None, "", {}, [])})
    text = known.format_map(fields)
    count = details.get("count", 1)
    return f"{text} ({count} times more within a minute)" if type_ == "audit.refused" and count != 1 else text


def _plain(value: object) -> str:
    text = str(value)[:200]
    return _PLAIN.get(text, text)


def _bare(side: object) -> object:
    return side.get("value", "") if isinstance(side, Mapping) else side
