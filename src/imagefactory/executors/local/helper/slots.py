"""Build slots: a number that one build of the machine holds at a time, and what follows from it."""

from __future__ import annotations

import contextlib
import fcntl
from pathlib import Path
from typing import IO

SLOTS = 128
# Above all that useradd gives out (login.defs: SUB_UID_MAX 600100000), so these ids are nobody else's.
UID_BASE, UID_STEP, SUBUIDS = 900_000_000, 70_000, 65_536
# where private roots are put together; empty to all but the jail itself
JAILS = Path("/run/imagefactory-jail")


class NoSlot(Exception):
    """All slots are taken."""


class Slot:
    """A number that this machine gives to one build at a time: its user, its groups, its network."""

    def __init__(self, number: int, lock: IO[str]) -> None:
        self.number, self._lock = number, lock
        self.uid = UID_BASE + number * UID_STEP
        self.group_name = f"slot-{number}"

    @classmethod
    def take(cls, locks: Path) -> Slot:
        """Take a free slot; the lock is the kernel's, so it is free again when its holder dies.

        Raises NoSlot.
        """
        for number in range(SLOTS):
            with contextlib.suppress(NoSlot):
                return cls.take_number(locks, number)
        raise NoSlot(f"All {SLOTS} build slots of this machine are taken.")

    @classmethod
    def take_number(cls, locks: Path, number: int) -> Slot:
        """Take this very slot.

        Raises NoSlot when someone holds it.
        """
        locks.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = (locks / str(number)).open("w")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            lock.close()
            raise NoSlot(f"Slot {number} is taken.") from None
        return cls(number, lock)

    def release(self) -> None:
        self._lock.close()
