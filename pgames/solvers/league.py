"""Solvers that play against a mixture: of their own past, or of a league of learners."""

from __future__ import annotations

from dataclasses import dataclass

from pgames.arena import Averaging, PopulationArena
from pgames.meetings import Meetings
from pgames.numerics import called, reading
from pgames.population.facing import Facing
from pgames.population.matchmaking import Hard, Matchmaker
from pgames.population.meta import Meta, Nash
from pgames.population.mixed import mixed
from pgames.solver import Memoryless, Pi, Regularised, Solver, State, Weight, require
from pgames.solvers.checks import check_callables, check_counts, check_greed, check_inner, greed
from pgames.solvers.psro import all_pairs


@dataclass(frozen=True)
class FictitiousPlay(Regularised):
    """Best response to the uniform mixture of one's own past (Brown 1951; smoothed for tau > 0).

    average' = (1 - 1/(t+1)) average + 1/(t+1) best response to average; the policy is the average.

    Theorem: the exploitability of the average is o(1) in zero-sum games (Robinson 1951), slowly:
    O(1/sqrt(t)) in practice. Known failure: exact ties, which are broken in proportion to the reference.

    Raises ValueError when tau is negative or not finite, or an array that holds a 0.
    """

    tau: Weight = 0.0

    def __post_init__(self) -> None:
        check_greed(self, self.tau)

    def init(self, arena: Averaging[Pi]) -> Memoryless[Pi]:
        require(self, arena, Averaging)
        return State(0, arena.reference)

    def step(self, arena: Averaging[Pi], state: Memoryless[Pi]) -> Memoryless[Pi]:
        answer = arena.mirror_step(arena.reference, state.policy, greed(self.tau))
        new = 1 / (state.t + 1)
        return State(state.t + 1, arena.mixture((1 - new, state.policy), (new, answer)))


Learners = tuple[tuple[State, ...], Meetings]  # the state of every member, and what they won of each other


@dataclass(frozen=True)
class League:
    """Members that all learn, each against the opponents that `match` gives it.

    `solver` is one for all `size` members, or a tuple with one for each. opponent_i = mixture of the members
    by row i of match(win rates); member_i' = one round of its solver against it. The policy is the mixture
    that `meta` makes of the members; `state.memory` is (states of the members, meetings). Members with the
    same solver start as a chain, the first iterates of its self-play, because equal members stay equal.
    Against a fixed opponent there is nothing to look ahead to, so EGPO steps as INPO here.

    Known failure: equals collapse. Members with one solver and one reference become one policy under every
    matchmaker; diversity must be made, by exploiters that start again (`MainAndExploiters`), a frozen past
    or different references. Nor is the mixture always less exploitable than its best member.

    Raises ValueError when there is no member, `size` is not the number of solvers, or they are a list.
    """

    solver: Solver | tuple[Solver, ...]
    size: int | None = None
    match: Matchmaker = Hard()  # noqa: RUF009
    meta: Meta = Nash(select="max_entropy")  # noqa: RUF009

    def __post_init__(self) -> None:
        if not isinstance(self.solver, tuple):
            if isinstance(self.solver, list):
                raise ValueError(
                    "League: the solvers of the members are a tuple, got a list: pass tuple(...)."
                )
            check_counts(self, "size")
        elif len(self.solver) == 0 or self.size not in (None, len(self.solver)):
            raise ValueError(
                f"League: a tuple of {len(self.solver)} solvers makes as many members, at least 1, got size "
                f"{self.size}: leave size out."
            )
        for one in self.solvers:
            check_inner(self, solver=one)
        check_callables(self, match=self.match, meta=self.meta)

    @property
    def solvers(self) -> tuple[Solver, ...]:
        """The solver of each member."""
        return self.solver if isinstance(self.solver, tuple) else (self.solver,) * (self.size or 0)

    @property
    def target(self) -> float:
        return 0.0

    def init(self, arena: PopulationArena[Pi]) -> State[Pi, Learners]:
        require(self, arena, PopulationArena)
        start: list[State] = []
        for i, solver in enumerate(self.solvers):
            equals = [one for one, other in zip(start, self.solvers[:i], strict=True) if other == solver]
            before = equals[-1].policy if equals else arena.reference
            own = Facing(arena, before)
            start.append(solver.step(own.at(equals[-1].t), equals[-1]) if equals else solver.init(own))
        return self._state(arena, 0, start)

    def step(self, arena: PopulationArena[Pi], state: State[Pi, Learners]) -> State[Pi, Learners]:
        learners, met = state.memory
        policies = [one.policy for one in learners]
        with reading(f"the matchmaker {called(self.match)}", "the win rates"):
            shares = self.match(met.known())
        opponents = [mixed(arena, shares[:, i], policies) for i in range(len(learners))]
        stepped = [
            solver.step(Facing(arena, opponent), one)
            for solver, opponent, one in zip(self.solvers, opponents, learners, strict=True)
        ]
        return self._state(arena, state.t + 1, stepped)

    def _state(self, arena: PopulationArena[Pi], t: int, learners: list[State]) -> State[Pi, Learners]:
        policies = [one.policy for one in learners]
        met = arena.meet(policies, all_pairs(len(policies)))
        return State(t, mixed(arena, met.weighed(self.meta), policies), (tuple(learners), met))
