"""Next steps of the product itself that follow from an event."""

from __future__ import annotations

from collections.abc import Sequence

from imagefactory.domain.builds.services.removal import pause_builds
from imagefactory.domain.identity.selectors import may_run_builds
from imagefactory.kernel import queue
from imagefactory.reactions.envelope import Envelope


def stop_builds_of_deleted_project(envelopes: Sequence[Envelope]) -> None:
    """Have a job cancel them: there may be many, and the relay must not wait."""
    for e in envelopes:
        queue.defer("builds.cancel_project", project_id=str(e.payload["project_id"]))


def pause_or_resume_builds(envelopes: Sequence[Envelope]) -> None:
    """Let builds be claimed exactly while their tenant is active; by its present state, not by what the event tells."""
    for tenant_id in {e.tenant_id for e in envelopes if e.tenant_id}:
        active = may_run_builds(tenant_id)
        if active is not None:
            pause_builds(tenant_id, paused=not active)
