"""Regret matching and its descendants: the next policy is proportional to the positive regrets.

A round needs the win rate of every response, and has no step size. At the policy pi of a round, with
u = rates(pi), the regret of a response is r = u - <pi, u>.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pgames.arena import Listed
from pgames.solver import Pi, State, require
from pgames.solvers.checks import check_numbers

Table = NDArray[np.float64]

ROUNDING = 1e-15  # a smaller regret is 0: the policy depends on the ratios of regrets, however small they are


class Regrets(NamedTuple):
    """What a round of regret matching remembers, each float64[S, X, Y] or float64[X, Y].

    sums : the regrets of all rounds; negative ones only in plain regret matching.
    last : the regret of the round before, the prediction of the next one.
    total : the sum of the policies since the last restart, each times its round.
    size : the size of R after a restart, float64[S, X, 1] or float64[X, 1]: it never falls.
    energy : the sum of |r|_2^2 since the last restart, in the same shape.
    """

    sums: Table
    last: Table
    total: Table
    size: Table
    energy: Table


@dataclass(frozen=True)
class RegretMatching:
    """Regret matching (Hart and Mas-Colell 2000): R' = R + r, pi' proportional to max(R', 0).

    Theorem: the mean of the first T policies is exploitable by at most |r_1, ..., r_T|_2 / T, that is
    sqrt(Y) / (2 sqrt(T)): use `Average(RegretMatching())`. The last iterate cycles.
    """

    @property
    def target(self) -> float:
        return 0.0

    def init(self, arena: Listed[Pi]) -> State[Pi, Regrets]:
        return _started(self, arena)

    def step(self, arena: Listed[Pi], state: State[Pi, Regrets]) -> State[Pi, Regrets]:
        memory, regret = _looked(arena, state)
        sums = memory.sums + regret
        return _played(arena, state, memory._replace(sums=sums, last=regret), sums)


@dataclass(frozen=True)
class RMPlus:
    """Regret matching+ (arXiv:1407.5042): R' = max(R + r, 0), pi' proportional to R'.

    restart : every so many rounds the policy becomes the mean of the policies since the last restart, each
        weighted by its round, and R that mean times a size that never falls; 0 for never.

    Theorem: the mean of the first T policies is exploitable by at most sqrt(Y) / (2 sqrt(T)), as for regret
    matching, where there are no restarts. Observed: with restarts the last iterate converges at a linear rate
    on games of few responses; without them it cycles.

    Raises ValueError when restart is negative.
    """

    restart: int = 0

    def __post_init__(self) -> None:
        _check_restart(self, self.restart)

    @property
    def target(self) -> float:
        return 0.0

    def init(self, arena: Listed[Pi]) -> State[Pi, Regrets]:
        return _started(self, arena)

    def step(self, arena: Listed[Pi], state: State[Pi, Regrets]) -> State[Pi, Regrets]:
        return _thresholded(arena, state, self.restart, predicted=False)


@dataclass(frozen=True)
class PRMPlus:
    """Predictive regret matching+ (arXiv:2007.14358): pi' proportional to max(R' + r, 0), R' = max(R + r, 0).

    The regret of the last round predicts that of the next. restart : as in `RMPlus`.

    Theorem: the mean of the first T policies is exploitable by at most |r_1 - r_0, ..., r_T - r_(T-1)|_2 / T
    with r_0 = 0, and so by at most sqrt(Y) / sqrt(T), where there are no restarts. Observed: about 1 / T, and
    with restarts the last iterate converges at a linear rate. Known failure: without them it may cycle.

    Raises ValueError when restart is negative.
    """

    restart: int = 0

    def __post_init__(self) -> None:
        _check_restart(self, self.restart)

    @property
    def target(self) -> float:
        return 0.0

    def init(self, arena: Listed[Pi]) -> State[Pi, Regrets]:
        return _started(self, arena)

    def step(self, arena: Listed[Pi], state: State[Pi, Regrets]) -> State[Pi, Regrets]:
        return _thresholded(arena, state, self.restart, predicted=True)


def _check_restart(solver: RMPlus | PRMPlus, restart: int) -> None:
    check_numbers(solver)
    if not (restart >= 0 and float(restart).is_integer()):
        raise ValueError(
            f"{type(solver).__name__}: restart must be a whole number of rounds, 0 for never, got {restart}."
        )


def _started(solver: object, arena: Listed[Pi]) -> State[Pi, Regrets]:
    require(solver, arena, Listed)
    nothing = np.zeros_like(np.asarray(arena.probs(arena.reference), dtype=np.float64))
    return State(0, arena.reference, Regrets(nothing, nothing, nothing, nothing[..., :1], nothing[..., :1]))


def _looked(arena: Listed[Pi], state: State[Pi, Regrets]) -> tuple[Regrets, Table]:
    """The memory with the policy of the round counted, and its regrets, 0 outside the game."""
    memory = state.memory
    pi, rates = arena.probs(state.policy), arena.rates(state.policy)
    inside = arena.probs(arena.reference) > 0
    regret = rates - (pi * rates).sum(axis=-1, keepdims=True)
    regret = np.where(inside & (np.abs(regret) > ROUNDING), regret, 0.0)
    return memory._replace(
        total=memory.total + (state.t + 1) * pi,
        energy=memory.energy + (regret**2).sum(axis=-1, keepdims=True),
    ), regret


def _thresholded(
    arena: Listed[Pi], state: State[Pi, Regrets], restart: int, predicted: bool
) -> State[Pi, Regrets]:
    """A round of RM+: R' = max(R + r, 0), played as it is or, `predicted`, with r added once more."""
    memory, regret = _looked(arena, state)
    sums = np.maximum(memory.sums + regret, 0.0)
    memory = memory._replace(sums=sums, last=regret)
    ahead = sums + regret if predicted else sums
    return _restarted(arena, state, memory, restart) or _played(arena, state, memory, ahead)


def _played(
    arena: Listed[Pi], state: State[Pi, Regrets], memory: Regrets, regrets: Table
) -> State[Pi, Regrets]:
    """The state whose policy is proportional to the positive regrets, the policy as it was where none is."""
    weights = np.maximum(regrets, 0.0)
    return State(state.t + 1, arena.policy(_normalised(weights, arena.probs(state.policy))), memory)


def _normalised(weights: Table, otherwise: Table) -> Table:
    total = weights.sum(axis=-1, keepdims=True)
    return np.where(total > 0, weights / np.where(total > 0, total, 1.0), otherwise)


def _restarted(
    arena: Listed[Pi], state: State[Pi, Regrets], memory: Regrets, every: int
) -> State[Pi, Regrets] | None:
    """The state of a restart, or None in a round without one."""
    if every == 0 or (state.t + 1) % every:
        return None
    mean = _normalised(memory.total, arena.probs(state.policy))
    size = np.maximum(memory.sums.sum(axis=-1, keepdims=True), np.sqrt(memory.energy))
    size = np.maximum(memory.size, size)  # a step size of 1 / size never grows
    nothing = np.zeros_like(mean)
    return State(
        state.t + 1, arena.policy(mean), Regrets(size * mean, nothing, nothing, size, nothing[..., :1])
    )
