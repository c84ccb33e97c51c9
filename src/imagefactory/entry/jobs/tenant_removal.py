"""Removes tenants whose grace period is over: in bounded steps, each a transaction of its own, safe to be killed between.

Whatever was done stays done, and the next run goes on where this one ended: nothing is remembered but the rows that are
still there. The audit trail stays.
"""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Callable

from imagefactory.domain.builds.services import removal as builds
from imagefactory.domain.builds.services.cancel import cancel_all_of_tenant
from imagefactory.domain.identity import services as identity
from imagefactory.domain.images.services import remove_images
from imagefactory.domain.projects.services import remove_projects
from imagefactory.entry.http.logs import log_store
from imagefactory.entry.jobs.tenant_export import blobs

log = logging.getLogger(__name__)
BATCH = 200
SECONDS = 240.0  # of one run; the next one begins every five minutes and goes on


def remove_due(batch: int = BATCH, seconds: float = SECONDS) -> int:
    """Remove tenants that are due, one after the other, for at most about `seconds`; return how many are gone."""
    deadline, gone = time.monotonic() + seconds, 0
    for tenant in identity.due_for_removal():
        if remove_tenant(tenant.id, batch, deadline):
            log.info("tenant %s is removed", tenant.slug)
            gone += 1
        if time.monotonic() > deadline:
            break
    return gone


def remove_tenant(tenant_id: uuid.UUID, batch: int = BATCH, deadline: float = float("inf")) -> bool:
    """Remove one tenant and return whether it is gone; not yet, when a worker still holds a build or time is up."""
    if not identity.is_due(tenant_id):
        return False
    builds.pause_builds(tenant_id, paused=True)
    cancel_all_of_tenant(tenant_id)
    if builds.still_running(tenant_id):
        return False
    logs, files = log_store(), blobs()
    steps: tuple[Callable[[], int], ...] = (
        lambda: builds.remove_builds(tenant_id, batch, lambda execution_id: logs.delete(str(execution_id))),
        lambda: remove_images(tenant_id, batch),
        lambda: remove_projects(tenant_id, batch, files.delete),
        lambda: identity.remove_people(tenant_id, batch),
    )
    for step in steps:
        while step():
            if time.monotonic() > deadline:
                return False
    return identity.finish_removal(tenant_id, files.delete)
