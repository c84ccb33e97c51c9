"""The list of every event pattern and what it sets off. A reaction runs in the transaction that marks delivery.

So each takes effect exactly once. One that must call another system defers a job instead (`kernel.queue`), which leaves
with the same transaction.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Callable, Sequence

from imagefactory.domain.audit.services.record import record
from imagefactory.reactions import live, pipeline
from imagefactory.reactions.envelope import Envelope
from imagefactory.reactions.messages.tell import tell_people

Reaction = Callable[[Sequence[Envelope]], None]

TABLE: tuple[tuple[str, Reaction], ...] = (
    ("*", record),
    ("audit.*", live.tell_pages),
    ("*", tell_people),
    ("build.*", live.tell_pages),
    ("image.*", live.tell_pages),
    ("member.*", live.tell_pages),
    ("project.*", live.tell_pages),
    ("service_account.*", live.tell_pages),
    ("tenant.*", live.tell_pages),
    ("capability.*", live.tell_pages),
    ("tenant.*", pipeline.pause_or_resume_builds),
    ("project.deleted", pipeline.stop_builds_of_deleted_project),
)


def react(envelopes: Sequence[Envelope]) -> None:
    """Run every reaction on the events that it is listed for, in the table's order."""
    for pattern, reaction in TABLE:
        if mine := [e for e in envelopes if fnmatch.fnmatchcase(e.type, pattern)]:
            reaction(mine)
