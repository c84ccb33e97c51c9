"""Tell open pages what changed: a hint with topics and ids, never content."""

from __future__ import annotations

from collections.abc import Sequence

from imagefactory.kernel import live
from imagefactory.reactions.envelope import Envelope

_SHOWN = ("build_id", "project_id", "number", "slug", "repository", "digest")


def _person(e: Envelope) -> object:
    """Return whose own pages an event changes: the person or service account it names, or who did it to their own account."""
    named = e.payload.get("user_id") or e.payload.get("service_account_id")
    return named or (e.actor_id if e.type.startswith("member.") else None)


def tell_pages(envelopes: Sequence[Envelope]) -> None:
    """Send each event to the pages that watch its build, project or tenant."""
    live.tell([_notice(e) for e in envelopes])


def _notice(e: Envelope) -> live.Notice:
    named = {
        "tenant": e.tenant_id,
        "project": e.payload.get("project_id"),
        "build": e.payload.get("build_id"),
        "user": _person(e),
    }
    topics = [f"{kind}:{value}" for kind, value in named.items() if value]
    return live.Notice(e.type, topics, {k: e.payload[k] for k in _SHOWN if k in e.payload})
