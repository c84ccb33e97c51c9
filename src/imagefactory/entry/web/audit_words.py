"""What happened, in plain words: one sentence for each type of event, said of whoever did it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

# Every event has its line here; tests/audit/test_sentences.py finds one without. The object stands beside it in the list.
SENTENCES: Final[Mapping[str, str]] = {
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
    "image.published": "Published an image",
    "image.removed": "Removed an image",
    "member.api_key_created": "Made an API key",
    "member.api_key_revoked": "Revoked an API key",
    "member.joined": "Joined the team as {role}",
    "member.password_changed": "Changed their password",
    "member.role_set": "Changed a person's role from {before} to {after}",
    "member.sign_in_refused": "Tried to sign in and was refused",
    "member.signed_in": "Signed in with {how}",
    "member.signed_out": "Signed out",
    "notification.email_set": "Chose which e-mails to get",
    "project.archive_uploaded": "Uploaded a source archive",
    "project.archived": "Archived a project",
    "project.changed": "Changed a project's settings",
    "project.created": "Created a project",
    "project.credential_created": "Added a credential",
    "project.credential_deleted": "Deleted a credential",
    "project.deleted": "Deleted a project",
    "project.restored": "Restored an archived project",
    "tenant.created": "Created the team",
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
    fields = _Fields({k: str(v)[:200] for k, v in {**details, **sides}.items() if v not in (None, "", {}, [])})
    text = known.format_map(fields)
    count = details.get("count", 1)
    return f"{text} ({count} times more within a minute)" if type_ == "audit.refused" and count != 1 else text


def _bare(side: object) -> object:
    return side.get("value", "") if isinstance(side, Mapping) else side
