"""Policy-space response oracles: the population grows by an oracle's answer to what it plays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pgames.arena import Arena, ListedPopulation, PopulationArena, Preferring
from pgames.meetings import Meetings
from pgames.population.facing import Facing
from pgames.population.meta import Meta, Nash
from pgames.population.mixed import mixed
from pgames.solver import Memoryless, Pi, Regularised, Solver, State, Weight, require
from pgames.solvers.checks import check_callables, check_counts, check_greed, check_inner, greed


@dataclass(frozen=True)
class BestResponse(Regularised):
    """The best response to the current opponent; at tau > 0 the soft one, ref exp(P / tau).

    pi' = mirror_step(reference, opponent, 1 / tau). It is the oracle of double oracle (`PSRO`). Outside
    `Facing` the opponent is its own policy. Known failure: on a cycle, repeated best responses cycle.

    Raises ValueError when tau is negative or not finite, or an array that holds a 0.
    """

    tau: Weight = 0.0

    def __post_init__(self) -> None:
        check_greed(self, self.tau)

    def init(self, arena: Preferring[Pi]) -> Memoryless[Pi]:
        require(self, arena, Preferring)
        return State(0, arena.reference)

    def step(self, arena: Preferring[Pi], state: Memoryless[Pi]) -> Memoryless[Pi]:
        return State(state.t + 1, arena.mirror_step(arena.reference, state.policy, greed(self.tau)))


Population = tuple[tuple[Pi, ...], Meetings]  # the members, and what they won against each other
Pool = tuple[tuple[Pi, ...], Pi]  # the members, and the opponent that holds them to their value


@dataclass(frozen=True)
class PSRO:
    """Policy-space response oracles (arXiv:1711.00832); double oracle with `Nash()` and `BestResponse()`.

    A round asks `oracle` for `rounds` rounds against the mixture that `meta` makes of the members, adds its
    last policy, and lets it meet the others. The policy is the mixture; `state.memory` is (members,
    meetings). In a game of two roles the members are pairs: an oracle's attacker answers the defenders of the
    population, its defender the attackers, and `Nash()` weighs the two roles apart.

    Theorem (double oracle, McMahan et al. 2003): with exact best responses it ends at a Nash, after at most
    as many rounds as there are responses. Known failure: the gap rises on the way, often by more than half of
    its start, so never trust the last of a few rounds; `AnytimePSRO` does not rise.

    Raises ValueError when rounds is below 1 or not whole.
    """

    meta: Meta = Nash()  # noqa: RUF009
    oracle: Solver = BestResponse()
    rounds: int = 1

    def __post_init__(self) -> None:
        check_counts(self, "rounds")
        check_inner(self, oracle=self.oracle)
        check_callables(self, meta=self.meta)

    @property
    def target(self) -> float:
        return 0.0

    def init(self, arena: PopulationArena[Pi]) -> State[Pi, Population[Pi]]:
        require(self, arena, PopulationArena)
        return self.starting(arena, [arena.reference])

    def starting(self, arena: PopulationArena[Pi], members: Sequence[Pi]) -> State[Pi, Population[Pi]]:
        """The state before round 0 with these members. Raises ValueError when there is none."""
        require(self, arena, PopulationArena)
        _check_members(self, members)
        met = arena.meet(members, all_pairs(len(members)))
        return State(0, mixed(arena, met.weighed(self.meta), members), (tuple(members), met))

    def step(self, arena: PopulationArena[Pi], state: State[Pi, Population[Pi]]) -> State[Pi, Population[Pi]]:
        members, met = state.memory
        new = answer(self.oracle, arena, state.policy, state.t * self.rounds, self.rounds)
        members, last = (*members, new), len(members)
        met = met.grown() + arena.meet(members, np.array([(last, i) for i in range(last)]))
        return State(state.t + 1, mixed(arena, met.weighed(self.meta), members), (members, met))


@dataclass(frozen=True)
class AnytimePSRO:
    """Anytime PSRO (arXiv:2201.07700): the mixture of members that is best against every response.

    A round asks `oracle` for `rounds` rounds against the opponent that holds all members to their value, adds
    its last policy, and solves members against all responses. The policy is the least exploitable mixture;
    `state.memory` is (members, opponent). The responses must be listed.

    Theorem: the exploitability never rises. Known failure of the neighbouring rule: an oracle against the
    mixture itself, in place of the opponent, is often a member already, and the population stops growing.

    Raises ValueError when rounds is below 1 or not whole.
    """

    oracle: Solver = BestResponse()
    rounds: int = 1

    def __post_init__(self) -> None:
        check_counts(self, "rounds")
        check_inner(self, oracle=self.oracle)

    @property
    def target(self) -> float:
        return 0.0

    def init(self, arena: ListedPopulation[Pi]) -> State[Pi, Pool[Pi]]:
        require(self, arena, ListedPopulation)
        return self.starting(arena, [arena.reference])

    def starting(self, arena: ListedPopulation[Pi], members: Sequence[Pi]) -> State[Pi, Pool[Pi]]:
        """The state before round 0 with these members. Raises ValueError when there is none."""
        require(self, arena, ListedPopulation)
        _check_members(self, members)
        return self._state(arena, 0, tuple(members))

    def step(self, arena: ListedPopulation[Pi], state: State[Pi, Pool[Pi]]) -> State[Pi, Pool[Pi]]:
        members, opponent = state.memory
        new = answer(self.oracle, arena, opponent, state.t * self.rounds, self.rounds)
        return self._state(arena, state.t + 1, (*members, new))

    def _state(self, arena: ListedPopulation[Pi], t: int, members: tuple[Pi, ...]) -> State[Pi, Pool[Pi]]:
        best = arena.against_all(members)
        return State(t, mixed(arena, best.weights, members), (members, best.opponent))


def answer(oracle: Solver, arena: Arena[Pi], opponent: Pi, first: int, rounds: int) -> Pi:
    """The policy of the oracle after `rounds` rounds against one opponent; round 0 is the arena's `first`."""
    facing = Facing(arena, opponent, first)
    state = oracle.init(facing)
    for _ in range(rounds):
        state = oracle.step(facing.at(state.t), state)
    return state.policy


def all_pairs(members: int) -> np.ndarray:
    """Every pair of different members once, int64[K (K - 1) / 2, 2]."""
    return np.argwhere(np.tri(members, k=-1))


def _check_members(solver: object, members: Sequence[object]) -> None:
    if len(members) == 0:
        raise ValueError(f"{type(solver).__name__}: a population starts with at least one member, got none.")
