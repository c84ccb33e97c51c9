"""How a run of stages ends early: failed with a reason, cancelled, or not started at all."""

from __future__ import annotations

from imagefactory.domain.builds.services.execution import Failure


class StageFailed(Exception):
    """The build fails with this reason."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.message)
        self.failure = failure


class Cancelled(Exception):
    """Someone asked to cancel, and the build stopped."""


class NotDispatched(Exception):
    """The host could not start it; the build goes back to the queue."""
