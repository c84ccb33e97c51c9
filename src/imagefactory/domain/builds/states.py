"""States of builds, executions and stages, and the moves between them."""

from __future__ import annotations

import enum

from imagefactory.kernel.states import Machine


class BuildStatus(enum.StrEnum):
    DRAFT = "draft"
    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


# The last three are final for what ran; a rerun queues the same build for a new execution. `running -> queued` is the
# way of a build whose worker was lost or could not start it.
BUILD = Machine(
    "build",
    {
        BuildStatus.DRAFT: frozenset({BuildStatus.QUEUED, BuildStatus.CANCELLED}),
        BuildStatus.QUEUED: frozenset({BuildStatus.RUNNING, BuildStatus.CANCELLED}),
        BuildStatus.RUNNING: frozenset(
            {BuildStatus.QUEUED, BuildStatus.SUCCEEDED, BuildStatus.FAILED, BuildStatus.CANCELLED}
        ),
        BuildStatus.SUCCEEDED: frozenset({BuildStatus.QUEUED}),
        BuildStatus.FAILED: frozenset({BuildStatus.QUEUED}),
        BuildStatus.CANCELLED: frozenset({BuildStatus.QUEUED}),
    },
)
FINISHED = frozenset({BuildStatus.SUCCEEDED, BuildStatus.FAILED, BuildStatus.CANCELLED})
CANCELLABLE = BUILD.sources(BuildStatus.CANCELLED)


class ExecutionStatus(enum.StrEnum):
    CLAIMED = "claimed"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    LOST = "lost"


_ENDS = frozenset({ExecutionStatus.SUCCEEDED, ExecutionStatus.FAILED, ExecutionStatus.CANCELLED, ExecutionStatus.LOST})
EXECUTION = Machine(
    "execution",
    {
        ExecutionStatus.CLAIMED: _ENDS | {ExecutionStatus.RUNNING},
        ExecutionStatus.RUNNING: _ENDS,
    },
)
ACTIVE = EXECUTION.sources(ExecutionStatus.LOST)


class StageStatus(enum.StrEnum):
    WAITING = "waiting"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    SKIPPED = "skipped"


class StageName(enum.StrEnum):
    """In order. A method may leave some out; the others of the contract come with the inspection of images."""

    FETCH = "fetch"
    LINT = "lint"
    BUILD = "build"
    PUBLISH = "publish"


class Trigger(enum.StrEnum):
    """How a build came to be asked for."""

    WEB = "web"
    API = "api"
    CLI = "cli"
    RERUN = "rerun"


class Queue(enum.StrEnum):
    """Classes of queued builds, the first one served first."""

    INTERACTIVE = "interactive"
    AUTOMATIC = "automatic"
    REBUILD = "rebuild"


QUEUE_ORDER: dict[Queue, int] = {Queue.INTERACTIVE: 2, Queue.AUTOMATIC: 1, Queue.REBUILD: 0}
