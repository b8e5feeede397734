"""The members of an arena that the kit uses and solvers do not: `probs`, and policies from probabilities.

A policy is an opaque handle of type Pi. The kit reads it through `probs`.
"""

from __future__ import annotations

from typing import Any, Protocol, Self, TypeGuard

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pgames.arena import Anchoring, Arena, Evidence, Listed, Pairing, Rewarding
from pgames.games.preference import PreferenceGame
from pgames.solver import Pi


class Looking(Protocol[Pi]):
    """The arena on which a solver is checked: its policies have readable probabilities."""

    @property
    def reference(self) -> Pi:
        """The policy that the game is regularised to."""
        ...

    def at(self, t: int) -> Self:
        """The arena in round t."""
        ...

    def probs(self, policy: Pi, /) -> NDArray[np.float64]:
        """Probabilities float64[S, X, Y], or float64[X, Y]."""
        ...


class Tried(Looking[Pi], Arena[Pi], Protocol[Pi]):
    """An arena under test: the verbs of a preference game, and `probs`."""


class Placing(Looking[Pi], Protocol[Pi]):
    """A policy can be made from its probabilities."""

    def policy(self, probabilities: ArrayLike, /) -> Pi:
        """The handle of probabilities float64[X, Y] or float64[S, X, Y]."""
        ...


class Starting(Placing[Pi], Anchoring[Pi], Protocol[Pi]):
    """A solver can start at any policy, because the reference can be replaced."""


class Maker(Protocol[Pi]):
    """A function from a game to an arena, such as a class of arenas."""

    def __call__(
        self,
        game: PreferenceGame,
        /,
        *,
        runs: int = 1,
        seed: int = 0,
        samples: int | None = None,
        first_run: int = 0,
    ) -> Looking[Pi]:
        """An arena of S = `runs` runs, of which the first has the number `first_run`."""
        ...


AnyMaker = Maker[Any]  # the type of a solver does not fix the type of its policies


def places(arena: Looking[Pi]) -> TypeGuard[Placing[Pi]]:
    """Whether a policy can be made from its probabilities."""
    return hasattr(arena, "policy")


def starts(arena: Looking[Pi]) -> TypeGuard[Starting[Pi]]:
    """Whether a solver can start at any policy."""
    return hasattr(arena, "policy") and hasattr(arena, "anchored")


def offers_rates(arena: Tried[Pi]) -> TypeGuard[Listed[Pi]]:
    """Whether the win rates of all responses are known."""
    return callable(getattr(arena, "rates", None)) and hasattr(arena, "policy")


def fits_pairs(arena: Tried[Pi]) -> TypeGuard[Pairing[Pi, Evidence]]:
    """Whether the arena has duels, and policies fitted to them."""
    return hasattr(arena, "duel") and hasattr(arena, "fit_pairs")


def fits_rewards(arena: Tried[Pi]) -> TypeGuard[Rewarding[Pi, Evidence, object]]:
    """Whether the arena has duels, scores fitted to them, and policies tilted by a score."""
    return hasattr(arena, "fit_reward") and hasattr(arena, "tilt")
