"""Which executors there are, by name."""

from __future__ import annotations

from pathlib import Path

from imagefactory.executors.base import Executor
from imagefactory.executors.fake import FakeExecutor
from imagefactory.executors.local.executor import LocalExecutor

NAMES = ("local", "fake")


def make_executor(name: str, *, helper: Path, scratch: Path, need_jail: bool = False) -> Executor:
    """Return the executor of this name; with `need_jail` one that never builds degraded.

    Raises ValueError for a name that there is not.
    """
    if name == "local":
        return LocalExecutor(helper, need_jail=need_jail)
    if name == "fake":
        return FakeExecutor(scratch)
    raise ValueError(f"There is no executor {name!r}; use one of {', '.join(NAMES)}.")
