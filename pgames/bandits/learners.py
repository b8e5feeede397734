"""Dueling bandits for the von Neumann winner, the Nash of the unregularised game: one bit per prompt.

They use no reference and no tau, so `simulate` charges them at tau = 0. The policy charged is the mean of the
policies of the two players. Its external regret is the dueling-bandit regret against the von Neumann winner,
Reg = max_p sum_t [(P(p > a_t) + P(p > b_t)) / 2 - 1/2], with a_t and b_t in expectation.

`step` defines a bandit; `leap` plays many steps in one compiled call, with the same bits.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pgames.arena import Comparing, Streaming
from pgames.bandits.exp3_kernels import exp3_draws, exp3_rounds, exp3_update
from pgames.bandits.pair_rules import RUCB_RULE, THOMPSON_RULE, choose_pairs, pair_rounds
from pgames.numerics import check_numbers, number
from pgames.regret.ledger import Ledger
from pgames.solver import State, require
from pgames.solvers.checks import require_table

Policies = NDArray[np.float64]  # log-probabilities float64[S, X, Y]
Losses = tuple[NDArray[np.float64], NDArray[np.float64]]  # float64[S, X, Y] of the left and right player


class PairMemory(NamedTuple):
    """The memory of RUCB and double Thompson sampling; wins are float64[S, X, Y, Y]."""

    wins: NDArray[np.float64]  # float64[S, X, Y, Y], how often y beat z
    pair: NDArray[np.int64]  # int64[2, S, X], the responses to compare next
    best: NDArray[np.int64]  # int64[S, X], RUCB's hypothesised winner, -1 for none

    def copy(self) -> PairMemory:
        return PairMemory(self.wins.copy(), self.pair.copy(), self.best.copy())


@dataclass(frozen=True)
class SparringEXP3:
    """Two copies of EXP3 that duel each other (Dudik et al., COLT 2015, arXiv:1502.06362).

    Each keeps L(y) = sum of loss / p(y) over the rounds in which it played y, the loss being 1 when it lost
    the duel, and plays p proportional to exp(-eta_t L). eta=None is eta_t = sqrt(ln K / (K t)), which
    needs no horizon. The loss form (Bubeck and Cesa-Bianchi, 2012, theorem 3.1) needs no uniform exploration.

    state.policy is the mean of both mixtures. Proved: E Reg <= 2 sqrt(T K ln K) for every game, whose average
    policy therefore approaches the Nash. Only observed: on a cycle the policies circle around
    the Nash, and `regret`, the sum of their gaps, grows faster. One bit per prompt.

    Raises ValueError when eta is not finite and above 0.
    """

    eta: float | None = None

    def __post_init__(self) -> None:
        check_numbers(self)
        if self.eta is not None and not 0 < number(self.eta) < np.inf:
            raise ValueError(f"SparringEXP3: eta must be finite and above 0, or None, got {self.eta!r:.60}.")

    @property
    def target(self) -> float:
        return 0.0

    def init(self, arena: Comparing) -> State[Policies, Losses]:
        require(self, arena, Comparing)
        require_table(self, arena)
        outside = np.where(arena.support, 0.0, np.inf)
        losses = np.broadcast_to(outside, arena.uniform.shape)
        return State(0, arena.uniform, (losses.copy(), losses.copy()))

    def step(self, arena: Comparing, state: State[Policies, Losses]) -> State[Policies, Losses]:
        left, right = (losses.copy() for losses in state.memory)
        sizes, eta = arena.support.sum(axis=1), self.eta or 0.0
        drawn = exp3_draws(left, right, sizes, eta, arena.coins(), state.t)
        won = arena.compare(drawn[0], drawn[1])
        policy = exp3_update(left, right, sizes, eta, drawn, won, state.t)
        return State(state.t + 1, policy, (left, right))

    def leap(
        self, arena: Streaming, state: State[Policies, Losses], rounds: int, ledger: Ledger
    ) -> State[Policies, Losses]:
        left, right = (losses.copy() for losses in state.memory)
        policy, sizes, eta = state.policy.copy(), arena.support.sum(axis=1), self.eta or 0.0
        exp3_rounds(left, right, policy, sizes, eta, *arena.stream, state.t, rounds, ledger.arrays)
        _counted(arena, rounds, ledger)
        return State(state.t + rounds, policy, (left, right))


@dataclass(frozen=True)
class RUCB:
    """Relative upper confidence bound (Zoghi et al., ICML 2014, arXiv:1312.3393). Needs a Condorcet winner.

    u(y, z) = share of wins + sqrt(alpha ln t / N). Champion c: a response with u(c, .) >= 1/2, with
    probability 1/2 the last that was the only one. Challenger: argmax u(., c), which is c once c beats all
    others.

    state.policy is half champion, half challenger. Proved, for alpha > 1/2 and a game with a Condorcet
    winner: regret O(K log T + K^2). Without one nothing is proved, and the sum of gaps on a cycle is linear.
    One bit per prompt.
    """

    alpha: float = 0.51

    def __post_init__(self) -> None:
        _check_alpha(self, self.alpha)

    @property
    def target(self) -> float:
        return 0.0

    def init(self, arena: Comparing) -> State[Policies, PairMemory]:
        return _first_pair(self, arena, RUCB_RULE)

    def step(self, arena: Comparing, state: State[Policies, PairMemory]) -> State[Policies, PairMemory]:
        return _next_pair(self, arena, state, RUCB_RULE)

    def leap(
        self, arena: Streaming, state: State[Policies, PairMemory], rounds: int, ledger: Ledger
    ) -> State[Policies, PairMemory]:
        return _many_pairs(self, arena, state, RUCB_RULE, rounds, ledger)


@dataclass(frozen=True)
class DoubleThompson:
    """Double Thompson sampling (Wu and Liu, NIPS 2016, arXiv:1604.07101), for Copeland winners.

    First: the response that beats most others in a posterior draw, among those whose upper bounds beat most
    (Copeland). Second: the best in a second draw against the first, among those not surely beaten by it.

    state.policy is half first, half second. Proved, for alpha > 1/2: Copeland regret O(K^2 log T), and
    O(K log T + K^2 log log T) with a Condorcet winner. Only observed: less regret than RUCB. A Copeland
    winner is not the von Neumann winner of a cycle, where the sum of gaps is linear. One bit per prompt.
    """

    alpha: float = 0.51

    def __post_init__(self) -> None:
        _check_alpha(self, self.alpha)

    @property
    def target(self) -> float:
        return 0.0

    def init(self, arena: Comparing) -> State[Policies, PairMemory]:
        return _first_pair(self, arena, THOMPSON_RULE)

    def step(self, arena: Comparing, state: State[Policies, PairMemory]) -> State[Policies, PairMemory]:
        return _next_pair(self, arena, state, THOMPSON_RULE)

    def leap(
        self, arena: Streaming, state: State[Policies, PairMemory], rounds: int, ledger: Ledger
    ) -> State[Policies, PairMemory]:
        return _many_pairs(self, arena, state, THOMPSON_RULE, rounds, ledger)


PairLearner = RUCB | DoubleThompson


def _first_pair(learner: PairLearner, arena: Comparing, rule: int) -> State[Policies, PairMemory]:
    require(learner, arena, Comparing)
    require_table(learner, arena)
    S, X, Y = arena.reference.shape
    wins, best = np.zeros((S, X, Y, Y)), np.full((S, X), -1)
    pair, policy = choose_pairs(rule, wins, arena.support, learner.alpha, 0, best, arena.at(0).coins())
    return State(0, policy, PairMemory(wins, pair, best))


def _next_pair(
    learner: PairLearner, arena: Comparing, state: State[Policies, PairMemory], rule: int
) -> State[Policies, PairMemory]:
    wins, pair, best = state.memory.copy()
    won, t = arena.compare(pair[0], pair[1]), state.t + 1
    s, x = np.ogrid[: len(best), : best.shape[1]]
    wins[s, x, pair[0], pair[1]] += won
    wins[s, x, pair[1], pair[0]] += 1 - won
    coins = arena.at(t).coins()
    pair, policy = choose_pairs(rule, wins, arena.support, learner.alpha, t, best, coins)
    return State(t, policy, PairMemory(wins, pair, best))


def _many_pairs(
    learner: PairLearner,
    arena: Streaming,
    state: State[Policies, PairMemory],
    rule: int,
    rounds: int,
    ledger: Ledger,
) -> State[Policies, PairMemory]:
    wins, pair, best = state.memory.copy()
    policy = state.policy.copy()
    pair_rounds(
        rule,
        wins,
        arena.support,
        learner.alpha,
        best,
        pair,
        policy,
        *arena.stream,
        state.t,
        rounds,
        ledger.arrays,
    )
    _counted(arena, rounds, ledger)
    return State(state.t + rounds, policy, PairMemory(wins, pair, best))


def _counted(arena: Streaming, rounds: int, ledger: Ledger) -> None:
    """Count the rounds that a kernel has played and charged, and their verdicts."""
    ledger.rounds += rounds
    arena.charge(rounds)


def _check_alpha(learner: object, alpha: float) -> None:
    check_numbers(learner)
    if not 0.5 < number(alpha) < np.inf:
        raise ValueError(f"{type(learner).__name__}: alpha must be finite and above 1/2, got {alpha!r:.60}.")
