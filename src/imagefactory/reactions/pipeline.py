"""Next steps of the product itself that follow from an event."""

from __future__ import annotations

import uuid
from collections.abc import Sequence

from imagefactory.domain.builds.services.cancel import cancel_all_of_project
from imagefactory.reactions.envelope import Envelope


def stop_builds_of_deleted_project(envelopes: Sequence[Envelope]) -> None:
    for e in envelopes:
        cancel_all_of_project(uuid.UUID(str(e.payload["project_id"])))
