"""How a run ended, from what was noticed while it went on; the strongest cause first."""

from __future__ import annotations

import dataclasses

from imagefactory.executors.local.helper.cgroup import Group
from imagefactory.executors.local.helper.process_tree import ProcessTree
from imagefactory.executors.local.helper.request import RunRequest


@dataclasses.dataclass
class Seen:
    """What was noticed while the run went on."""

    index: int = 0
    exit_code: int | None = None
    cancelled: bool = False
    gone: bool = False
    timed_out: bool = False
    disk_full: bool = False
    refused: str = ""
    tail: bytes = b""
    too_big: bool = False  # a plain directory grew beyond the limit, which nothing but this process holds up
    most_disk: int = 0
    forks_before: int = 0
    refused_forks: int = 0  # samples in a row in which more forks were refused than before


def verdict(request: RunRequest, seen: Seen, group: Group | ProcessTree) -> dict[str, str]:
    """Return `end` (a value of `base.End`) and `reason`, a sentence unless it succeeded. The group must
    still be there.
    """
    end, reason = _verdict(request, seen, group)
    return {"end": end, "reason": reason}


def _verdict(request: RunRequest, seen: Seen, group: Group | ProcessTree) -> tuple[str, str]:
    succeeded = seen.exit_code == 0 and seen.index == len(request.commands) - 1
    causes = (
        (seen.cancelled or seen.gone, "cancelled", "The build was cancelled."),
        (
            seen.timed_out,
            "timed_out",
            f"The build ran longer than its limit of {request.timeout_seconds} seconds and was stopped.",
        ),
        (bool(seen.refused), "lost", f"The build host failed: {seen.refused}"),
        (succeeded, "succeeded", ""),
        (
            group.out_of_memory(),
            "out_of_memory",
            (
                f"The build needed more than its {request.memory_mib} MiB of memory and was stopped. "
                "Ask for more memory, or make the step need less."
            ),
        ),
        (
            seen.disk_full,
            "out_of_disk",
            (
                f"The build filled its {request.disk_mib} MiB of disk. "
                "Ask for more disk, or remove what the step leaves behind."
            ),
        ),
        (
            group.refused_forks() > 0,
            "out_of_pids",
            f"The build wanted more than {request.pids} processes. A step may be starting them without end.",
        ),
        (seen.exit_code is None, "lost", "The build's processes ended without saying why."),
        (True, "failed", f"A command ended with exit code {seen.exit_code}."),
    )
    return next((end, reason) for holds, end, reason in causes if holds)
