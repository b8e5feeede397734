"""What a search keeps from round to round while its opponent stays the same."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Generic, TypeVar

T = TypeVar("T")


class Kept(Generic[T]):
    """What is known about one opponent, by the round in which it was found.

    Another opponent replaces it. A round knows what earlier rounds found and nothing of its own, so that a
    step repeated in one round repeats itself; going back to an earlier round forgets the later ones.
    """

    def __init__(self) -> None:
        self._name: Hashable = None
        self._found: dict[int, T] = {}

    def before(self, name: Hashable, round: int) -> T | None:
        """What was known of the opponent `name` before the round; None when nothing was."""
        if name != self._name:
            return None
        earlier = [t for t in self._found if t < round]
        return self._found[max(earlier)] if earlier else None

    def put(self, name: Hashable, round: int, found: T) -> None:
        """Keep what is known of the opponent `name` after the round; of the rounds before, the last alone."""
        earlier = [t for t in self._found if t < round and name == self._name]
        kept = {t: self._found[t] for t in earlier[-1:]}
        self._name, self._found = name, {**kept, round: found}
