"""Tables of states: which moves exist. The move itself is a compare-and-set in the app's services."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from typing import Generic, TypeVar

from imagefactory.kernel.errors import InvalidTransition

S = TypeVar("S", bound=enum.StrEnum)


class Machine(Generic[S]):
    """The allowed moves of one kind of object."""

    def __init__(self, noun: str, moves: Mapping[S, frozenset[S]]) -> None:
        self.noun = noun
        self._moves = moves

    @property
    def states(self) -> type[S]:
        """Return the list of the states."""
        return type(next(iter(self._moves)))

    def allows(self, source: S, target: S) -> bool:
        return target in self._moves.get(source, frozenset())

    def sources(self, target: S) -> frozenset[S]:
        """Return the states from which `target` can be reached in one move."""
        return frozenset(s for s, targets in self._moves.items() if target in targets)

    def refuse(self, source: S, target: S) -> InvalidTransition:
        """Return the error for a move that does not exist."""
        return InvalidTransition(
            f"This {self.noun} is {source} and cannot become {target}. Reload to see its present state.",
            state=str(source),
            wanted=str(target),
        )
