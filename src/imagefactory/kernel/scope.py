"""Whose rows this thread may touch: those of one tenant, of the whole installation, or nobody's until somebody says.

The database holds it as the second wall behind the selectors: its policies (`kernel/wall.py`) compare every row with the
scope that `kernel/database` puts into each connection before a statement runs. Doors set the scope; nothing below them does.
"""

from __future__ import annotations

import contextlib
import contextvars
import logging
import uuid
from collections.abc import Iterable, Iterator
from typing import Final, TypeVar

log = logging.getLogger(__name__)
T = TypeVar("T")

NOBODY: Final = ""
EVERYTHING: Final = "*"
_scope: contextvars.ContextVar[str] = contextvars.ContextVar("tenant_scope", default=NOBODY)


def wanted() -> str:
    """Return what the connection is to be told: a tenant's id, EVERYTHING or NOBODY."""
    return _scope.get()


def enter(tenant_id: uuid.UUID) -> None:
    """Let this thread touch the rows of one tenant, until the next call or `clear`. The nil UUID is a tenant without rows."""
    _scope.set(str(tenant_id))


def clear() -> None:
    """Let this thread touch no tenant's rows: a statement that tries to raises, and does not find nothing."""
    _scope.set(NOBODY)


@contextlib.contextmanager
def tenant(tenant_id: uuid.UUID) -> Iterator[None]:
    """Let this thread touch the rows of one tenant until the block ends."""
    with _within(str(tenant_id)):
        yield


@contextlib.contextmanager
def whole_installation(reason: str) -> Iterator[None]:
    """Let this thread touch the rows of all tenants until the block ends; for system administrators' pages only.

    `reason` goes into the log. tests/security/test_walls.py lists the modules that may call this.
    """
    log.info("reading across tenants: %s", reason)
    with _within(EVERYTHING):
        yield


def carried(parts: Iterable[T]) -> Iterator[T]:
    """Return an iterator whose steps run in the scope of this call: for answers that stream after the request's end."""
    held, steps = _scope.get(), iter(parts)

    def walk() -> Iterator[T]:
        while True:
            with _within(held):
                try:
                    part = next(steps)
                except StopIteration:
                    return
            yield part

    return walk()


@contextlib.contextmanager
def _within(scope: str) -> Iterator[None]:
    before = _scope.get()
    _scope.set(scope)
    try:
        yield
    finally:
        # Set back and not reset by token: a generator may end in another context than it began in.
        _scope.set(before)
