"""Solvers that wrap a solver: they move its reference, or choose which of its iterates to return."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

from pgames.arena import Anchoring, Measuring, Mixing
from pgames.numerics import check_numbers
from pgames.solver import Pi, Solver, State, Weight, require, target_of
from pgames.solvers.checks import check_steps
from pgames.solvers.mirror import INPO, MMD

Record = tuple[State, Weight]  # the state of the inner solver, and the smallest exploitability so far


@dataclass(frozen=True)
class ProximalPoint:
    """Solve the regularised game with `inner`; every `every` rounds make the policy the new reference.

    Theorem (arXiv:2410.23223): KL(nash || reference) never increases, for any tau, and the last iterate
    reaches an exact Nash of the unregularised game. Near it each refresh multiplies KL by
    tau^2 / (tau^2 + w^2). Known failure: an inner solver that cycles, or `every` too short for it.

    Raises ValueError when every is below 1.
    """

    inner: Solver
    every: int

    def __post_init__(self) -> None:
        check_numbers(self)
        if self.every < 1:
            raise ValueError(f"ProximalPoint: every must be at least 1, got {self.every}.")

    @property
    def target(self) -> float:
        return 0.0

    def init(self, arena: Anchoring[Pi]) -> State[Pi, tuple[Pi, State]]:
        require(self, arena, Anchoring)
        inner = self.inner.init(arena)
        return State(0, inner.policy, (arena.reference, inner))

    def step(self, arena: Anchoring[Pi], state: State[Pi, tuple[Pi, State]]) -> State[Pi, tuple[Pi, State]]:
        reference, inner = state.memory
        anchored = arena.anchored(reference)
        inner = self.inner.step(anchored, inner)
        if (state.t + 1) % self.every == 0:
            reference = inner.policy
            inner = self.inner.init(arena.anchored(reference))
        return State(state.t + 1, inner.policy, (reference, inner))


def COMAL(tau: Weight, eta: Weight, every: int) -> ProximalPoint:
    """COMAL (arXiv:2410.23223): INPO whose reference becomes the policy every `every` rounds."""
    return ProximalPoint(INPO(tau, eta), every)


def MPO(tau: Weight, eta: Weight, every: int) -> ProximalPoint:
    """Magnetic preference optimisation (arXiv:2410.16714): MMD whose magnet moves every `every` rounds."""
    return ProximalPoint(MMD(tau, eta), every)


@dataclass(frozen=True)
class Average:
    """Return the uniform mixture of all iterates of `inner` instead of the last one."""

    inner: Solver

    @property
    def target(self) -> Weight | None:
        return target_of(self.inner)

    def init(self, arena: Mixing[Pi]) -> State[Pi, State]:
        require(self, arena, Mixing)
        inner = self.inner.init(arena)
        return State(0, inner.policy, inner)

    def step(self, arena: Mixing[Pi], state: State[Pi, State]) -> State[Pi, State]:
        inner = self.inner.step(arena, state.memory)
        new = 1 / (state.t + 1)
        return State(state.t + 1, arena.mixture((1 - new, state.policy), (new, inner.policy)), inner)


@dataclass(frozen=True)
class Best:
    """Return the least exploitable iterate of `inner` so far, for each run separately.

    Raises ValueError when tau is negative or not finite.
    """

    inner: Solver
    tau: float = 0.0

    def __post_init__(self) -> None:
        check_steps(self, self.tau, None)

    @property
    def target(self) -> float:
        return self.tau

    def init(self, arena: Measuring[Pi]) -> State[Pi, Record]:
        require(self, arena, Measuring)
        inner = self.inner.init(arena)
        return State(0, inner.policy, (inner, arena.exploitability(inner.policy, self.tau)))

    def step(
        self, arena: Measuring[Pi], state: State[Pi, tuple[State, Weight]]
    ) -> State[Pi, tuple[State, Weight]]:
        inner, record = state.memory
        inner = self.inner.step(arena, inner)
        gap = arena.exploitability(inner.policy, self.tau)
        better = cast(Weight, (gap < record) * 1.0)
        policy = arena.mixture((1 - better, state.policy), (better, inner.policy))
        return State(state.t + 1, policy, (inner, cast(Weight, better * gap + (1 - better) * record)))
