"""How a run of stages ends early: failed with a reason, cancelled, or not started at all."""

from __future__ import annotations

import errno
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from imagefactory.adapters.registries.skopeo import CopyFailed
from imagefactory.adapters.sources.base import SourceUnavailable, human_size
from imagefactory.domain.builds.services.execution import Failure

_FULL = 1024 * 1024  # bytes left of a disk that is called full


class StageFailed(Exception):
    """The build fails with this reason."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.message)
        self.failure = failure


class Cancelled(Exception):
    """Someone asked to cancel, and the build stopped."""


class NotDispatched(Exception):
    """The host could not start it; the build goes back to the queue."""


@contextmanager
def room(workspace: Path, stage: str, what: str) -> Iterator[None]:
    """Tell a full disk of the build from whatever else the tools inside make of it.

    Raises StageFailed, and what else was raised inside.
    """
    try:
        yield
    except (OSError, SourceUnavailable, CopyFailed) as error:
        disk = shutil.disk_usage(workspace)
        full = isinstance(error, OSError) and error.errno in {errno.ENOSPC, errno.EDQUOT}
        if not full and disk.free > _FULL:
            raise
        message = (
            f"{what} does not fit onto the build's disk of {human_size(disk.total)}. Ask for more in limits.disk_mib, "
            "or make it smaller; an operator can raise IMAGEFACTORY_BUILD_DISK_MIB."
        )
        raise StageFailed(Failure("out_of_disk", stage, message)) from None
