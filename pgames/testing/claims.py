"""The claims about a solver under test, and the comparison of policies and states."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Generic, Literal, NamedTuple, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pgames.games.preference import PreferenceGame
from pgames.loop import iterate
from pgames.solver import Pi, Solver, State
from pgames.testing.looking import Looking, Maker

FixedPoint = Literal["regularised", "nash"] | Callable[[PreferenceGame], ArrayLike] | None

EARLY = 200  # rounds of a long run that are all looked at

One = TypeVar("One")  # a solver, or what its field `inner` holds


class Played(NamedTuple, Generic[Pi]):
    """A game that was played from the start.

    last : the state after the last round. probs : probabilities float64[X, Y] after t rounds, for early t and
    for the last two.
    """

    arena: Looking[Pi]
    last: State
    probs: dict[int, NDArray[np.float64]]


@dataclass(frozen=True)
class Claims(Generic[Pi]):
    """A solver, the claims of its author, and the arena on which it is checked."""

    solver: Solver
    fixed_point: FixedPoint
    tau: float
    rounds: int
    within: float | None
    contracts: float | None
    arena: Maker[Pi]
    tolerance: float = 0.0  # allowed total variation between the arena's policies and closed forms
    short: int = 20  # rounds of checks that do not wait for convergence
    played: dict[tuple, Played[Pi]] = field(default_factory=dict, repr=False, compare=False)

    def at_tau(self, tau: float) -> Claims[Pi] | None:
        """The same solver at another tau, or None when it has no such field."""
        solver = _with_tau(self.solver, tau)
        return None if solver is None else dataclasses.replace(self, solver=solver, played={})

    def play(self, game: PreferenceGame, rounds: int) -> Played[Pi]:
        """So many rounds on this game, played once: several checks look at the same rounds.

        Those of resumption, purity, seeds and runs play rounds of their own.
        """
        tables = game.P, game.reference, game.prompt_weights
        key = rounds, game.P.shape, *(table.tobytes() for table in tables)
        if key not in self.played:
            arena = self.arena(game)
            state = start = self.solver.init(arena)
            probs = {0: arena.probs(start.policy)[0]}
            for t, state in enumerate(iterate(self.solver, arena, rounds, start), 1):
                if t <= max(EARLY, self.short) or t >= rounds - 1:
                    probs[t] = arena.probs(state.policy)[0]
            self.played[key] = Played(arena, state, probs)
        return self.played[key]

    def solve(self, game: PreferenceGame, rounds: int) -> NDArray[np.float64]:
        """The policy after `rounds`, probabilities float64[X, Y]."""
        return self.play(game, rounds).probs[rounds]

    def policies(self, game: PreferenceGame, rounds: int) -> list[NDArray[np.float64]]:
        """The policy at the start and after every early round, probabilities float64[X, Y]."""
        probs = self.play(game, rounds).probs
        return [probs[t] for t in range(min(rounds, max(EARLY, self.short)) + 1)]


def distance(p: NDArray[np.float64], q: NDArray[np.float64]) -> float:
    """Total variation between policies float64[X, Y], in the worst prompt; NaN if an entry is NaN."""
    return float(0.5 * np.abs(p - q).sum(axis=-1).max())


def off_simplex(p: NDArray[np.float64]) -> float:
    """The distance of p float64[X, Y] from a distribution; NaN if an entry is NaN."""
    return float(max(np.abs(p.sum(axis=-1) - 1).max(), -p.min()))


def takes_tau(solver: object) -> bool:
    """Whether the solver, or one inside it, has a field tau."""
    fields = getattr(solver, "__dataclass_fields__", {})
    return "tau" in fields or ("inner" in fields and takes_tau(getattr(solver, "inner", None)))


def _with_tau(solver: One, tau: float) -> One | None:
    """The same solver at another tau, in its own field or that of its inner solver; None without one."""
    if not dataclasses.is_dataclass(solver) or isinstance(solver, type) or not takes_tau(solver):
        return None
    if "tau" in solver.__dataclass_fields__:
        return dataclasses.replace(solver, tau=tau)
    return dataclasses.replace(solver, inner=_with_tau(getattr(solver, "inner", None), tau))


def difference(first: object, second: object) -> float:
    """0.0 when two states are the same to the last bit, else the largest difference of numbers (or inf)."""
    if type(first) is not type(second):
        return np.inf
    if isinstance(first, np.ndarray) and isinstance(second, np.ndarray):
        return _array_difference(first, second)
    if isinstance(first, tuple | list) and isinstance(second, tuple | list):
        if len(first) != len(second):
            return np.inf
        return max((difference(a, b) for a, b in zip(first, second, strict=True)), default=0.0)
    if isinstance(first, dict) and isinstance(second, dict):
        return difference(list(first.items()), list(second.items()))
    if dataclasses.is_dataclass(first):
        names = [f.name for f in dataclasses.fields(first)]
        return max((difference(getattr(first, n), getattr(second, n)) for n in names), default=0.0)
    if isinstance(first, int | float | np.number) and isinstance(second, int | float | np.number):
        return difference(np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64))
    return 0.0 if first is second or first == second else np.inf


def _array_difference(first: np.ndarray, second: np.ndarray) -> float:
    """The largest difference of arrays of any one shape and type; NaN equals NaN."""
    if first.shape != second.shape:
        return np.inf
    if first.dtype == bool:
        first, second = first.astype(np.int8), second.astype(np.int8)
    same = (first == second) | ((first != first) & (second != second))
    with np.errstate(invalid="ignore"):
        gap = np.where(same, 0.0, np.abs(first - second))
    return float(np.where(np.isnan(gap), np.inf, gap).max(initial=0.0))
