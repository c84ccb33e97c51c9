"""What can be wrong about builds."""

from __future__ import annotations

from typing import ClassVar

from imagefactory.kernel.errors import Conflict, NotFound


class BuildNotFound(NotFound):
    def __init__(self) -> None:
        super().__init__("build")


class ExecutionNotFound(NotFound):
    def __init__(self) -> None:
        super().__init__("attempt of this build")


class BuildNotCancellable(Conflict):
    code: ClassVar[str] = "build_not_cancellable"

    def __init__(self, status: str) -> None:
        super().__init__(f"This build has {status} already; there is nothing left to cancel.", status=status)


class LeaseLost(Exception):
    """The execution was given to someone else, or is over: stop, and write nothing more."""
