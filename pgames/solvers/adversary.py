"""Solvers of two roles: the attacker and the defender in turns, or each with a solver of its own."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pgames.arena import Opposing
from pgames.solver import Pi, Solver, State, Weight, require, target_of
from pgames.solvers.checks import check_counts, check_inner

Both = tuple[State, State]  # the states of the solvers of the attacker and of the defender


@dataclass(frozen=True)
class Turns:
    """`defend` rounds of the defender's solver against a fixed attacker, then `attack` rounds of the other.

    A round counts for the role whose turn it is; the policy of the resting role stays the same.

    Theorem: none. Observed: with INPO in both roles it reaches the regularised Nash that INPO reaches on the
    pair. Known failure: long turns without regularisation cycle; a weak KL of one role cures short turns
    only.

    Raises ValueError when attack or defend is below 1 or not whole.
    """

    attacker: Solver
    defender: Solver
    attack: int = 1
    defend: int = 1

    def __post_init__(self) -> None:
        check_counts(self, "attack", "defend")
        check_inner(self, attacker=self.attacker, defender=self.defender)

    @property
    def target(self) -> Weight | None:
        return _common_target(self.attacker, self.defender)

    def init(self, arena: Opposing[Pi]) -> State[Pi, Both]:
        return _both(self, self.attacker, self.defender, arena)

    def step(self, arena: Opposing[Pi], state: State[Pi, Both]) -> State[Pi, Both]:
        pi, (attacker, defender) = state.policy, state.memory
        if state.t % (self.attack + self.defend) < self.defend:
            defender = self.defender.step(arena.only("defender", pi), defender._replace(policy=pi))
            return State(state.t + 1, defender.policy, (attacker, defender))
        attacker = self.attacker.step(arena.only("attacker", pi), attacker._replace(policy=pi))
        return State(state.t + 1, attacker.policy, (attacker, defender))


@dataclass(frozen=True)
class Rivals:
    """Both roles at once, each with its own solver: both step from the same pair, then the halves are joined.

    With one mirror solver in both roles it is that solver on the pair, except for solvers that look ahead
    (EGPO), whose opponent stands still here. An attacker with a KL of weight w to the uniform policy against
    a defender without one, `Rivals(INPO(w, eta), SPPO(eta))`, is an attacker that is paid for diversity.
    """

    attacker: Solver
    defender: Solver

    def __post_init__(self) -> None:
        check_inner(self, attacker=self.attacker, defender=self.defender)

    @property
    def target(self) -> Weight | None:
        return _common_target(self.attacker, self.defender)

    def init(self, arena: Opposing[Pi]) -> State[Pi, Both]:
        return _both(self, self.attacker, self.defender, arena)

    def step(self, arena: Opposing[Pi], state: State[Pi, Both]) -> State[Pi, Both]:
        pi, (attacker, defender) = state.policy, state.memory
        attacker = self.attacker.step(arena.only("attacker", pi), attacker._replace(policy=pi))
        defender = self.defender.step(arena.only("defender", pi), defender._replace(policy=pi))
        policy = arena.join(attacker.policy, defender.policy)
        return State(state.t + 1, policy, (attacker, defender))


def _both(solver: Solver, attacker: Solver, defender: Solver, arena: Opposing[Pi]) -> State[Pi, Both]:
    """The state at the reference. Raises TypeError when the arena has no roles."""
    require(solver, arena, Opposing)
    start = arena.reference
    return State(
        0,
        start,
        (attacker.init(arena.only("attacker", start)), defender.init(arena.only("defender", start))),
    )


def _common_target(attacker: Solver, defender: Solver) -> Weight | None:
    """The tau that both solvers are after; None when they differ."""
    first, second = target_of(attacker), target_of(defender)
    return first if first is not None and second is not None and np.array_equal(first, second) else None
