"""Members that judge each other: who judges a pair, and a league without any other judge."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from pgames.arena import Arena, Judging, SelfPreferring
from pgames.numerics import SUM_TOLERANCE, number, whole
from pgames.population.anchors import Agreement, Anchors
from pgames.solver import Pi, Solver, State, Weight, require

Array = NDArray[np.float64]
Verdict = Literal["oneself", "outside"]


def outside(members: int, i: int, j: int) -> tuple[int, ...]:
    """The numbers of the members that may judge the pair (i, j): all but the two.

    Raises ValueError when a number names no member, and when nobody is left.
    """
    if not (whole(members) and whole(i) and whole(j) and 0 <= i < members and 0 <= j < members):
        raise ValueError(f"a pair names two of {members!r} members, numbered from 0, got {i!r} and {j!r}.")
    others = tuple(k for k in range(members) if k not in (i, j))
    if not others:
        raise ValueError(
            f"no member is outside the pair ({i}, {j}) of a population of {members}: add a member, or judge "
            "by a rule."
        )
    return others


class FacingEach(Generic[Pi]):
    """The arena of a player that meets several fixed opponents, each in an arena of its own.

    Meetings are (share, arena, opponent), shares of sum 1. A mirror step is one step per meeting, scaled by
    its share: on a table exactly the step against the shared win rate. Whichever opponent a solver names,
    these are met.

    Raises ValueError without a meeting, and when the shares are negative or not of sum 1.
    """

    def __init__(self, meetings: Sequence[tuple[float, Arena[Pi], Pi]]):
        if not len(meetings):
            raise ValueError("FacingEach needs at least one opponent, got none.")
        shares = [number(meeting[0]) for meeting in meetings]
        if not (min(shares) >= 0 and abs(sum(shares) - 1) <= SUM_TOLERANCE):
            raise ValueError(f"the shares of FacingEach must be at least 0 and of sum 1, got {shares}.")
        self.meetings = tuple(meetings)

    @property
    def reference(self) -> Pi:
        """The reference of the first arena."""
        return self.meetings[0][1].reference

    def geometric_mixture(self, *terms: tuple[Weight, Pi]) -> Pi:
        """prod_i pi_i ** w_i, normalised."""
        return self.meetings[0][1].geometric_mixture(*terms)

    def mixture(self, *terms: tuple[Weight, Pi]) -> Pi:
        """sum_i w_i pi_i."""
        return self.meetings[0][1].mixture(*terms)

    def mirror_step(self, prior: Pi, opponent: Pi, step: Weight) -> Pi:
        """argmax_pi of the shared win rate - KL(pi || prior) / step. Raises ValueError for step = inf."""
        if np.isinf(step).any():
            raise ValueError("FacingEach has no best response to several opponents: pass a finite step.")
        for share, arena, met in self.meetings:
            prior = arena.mirror_step(prior, met, share * step)
        return prior

    def win_rate(self, first: Pi, second: Pi) -> Weight:
        """The shared win rate of `first`."""
        return sum(share * arena.win_rate(first, met) for share, arena, met in self.meetings)

    def at(self, t: int) -> FacingEach[Pi]:
        """The arena in round t."""
        return FacingEach([(share, arena.at(t), met) for share, arena, met in self.meetings])

    def anchored(self, reference: Pi) -> FacingEach[Pi]:
        """The same with another reference."""
        return FacingEach([(share, arena.anchored(reference), met) for share, arena, met in self.meetings])


def panel_agreement(arena: Judging[Pi], panel: Sequence[SelfPreferring[Pi]], anchors: Anchors) -> Agreement:
    """How often each judge of a panel, alone, sides with the anchors: float64[S, J]."""
    pairs = (anchors.prompt, anchors.first, anchors.second)
    return anchors.agreement(np.stack([arena.judged_by([one]).verdicts(*pairs) for one in panel], axis=1))


@dataclass(frozen=True)
class PanelLeague:
    """Members that all learn, each against all others, and are each other's only judges.

    Member k judges with the bias `biases[k]` to what it would say (`SelfPreferring`). The verdict on (i, j)
    is that of i itself ("oneself"), or the mean of all members outside the pair ("outside"), weighted by
    their agreement with `anchors` where given, measured in every round. The policy is the members' equal
    mixture, `state.memory` holds a state per member. The members start as a chain, the first iterates of
    self-play; `begin` starts from given policies.

    Known failure: a bias adds b P (1 - P) to the growth of log pi, and uniform play on a cycle is unstable
    from b P (1 - P) = tau on (`pgames.bounds.self_preference_threshold`). Judges outside the pair cure a
    biased minority and make a bias that all share worse: everybody drifts together.

    Raises ValueError for fewer members than a verdict needs, a bias that is not finite, another verdict, and
    anchors for "oneself", where a single judge has no weight.
    """

    solver: Solver
    biases: tuple[float, ...]
    verdict: Verdict = "outside"
    anchors: Anchors | None = None

    def __post_init__(self) -> None:
        if self.verdict not in get_args(Verdict):
            raise ValueError(f"verdict must be one of {', '.join(get_args(Verdict))}, got {self.verdict!r}.")
        if not np.isfinite(self.biases).all():
            raise ValueError(f"biases must be finite, got {self.biases}: 0 is a fair judge.")
        if len(self.biases) < 2:
            raise ValueError(f"PanelLeague needs at least 2 members, got {len(self.biases)} biases.")
        if self.verdict == "outside":
            outside(len(self.biases), 0, 1)
        elif self.anchors is not None:
            raise ValueError("anchors weigh several judges; a verdict by oneself has one: leave them out.")

    @property
    def target(self) -> float:
        return 0.0

    def init(self, arena: Judging[Pi]) -> State[Pi, tuple[State, ...]]:
        require(self, arena, Judging)
        chain = [self.solver.init(arena)]
        for _ in self.biases[1:]:
            chain.append(self.solver.step(arena.at(chain[-1].t), chain[-1]))
        return self._state(arena, 0, chain)

    def begin(self, arena: Judging[Pi], policies: Sequence[Pi]) -> State[Pi, tuple[State, ...]]:
        """The state whose members start from these policies. Raises ValueError for another number of them."""
        if len(policies) != len(self.biases):
            raise ValueError(f"there are {len(self.biases)} members, got {len(policies)} policies.")
        require(self, arena, Judging)
        start = self.solver.init(arena)
        return self._state(arena, 0, [start._replace(policy=policy) for policy in policies])

    def step(self, arena: Judging[Pi], state: State[Pi, tuple[State, ...]]) -> State[Pi, tuple[State, ...]]:
        learners, K = state.memory, len(state.memory)
        judges = [SelfPreferring(one.policy, b) for one, b in zip(learners, self.biases, strict=True)]
        trust = self._trust(arena, judges)
        views: dict[tuple[int, ...], Arena[Pi]] = {}
        stepped = []
        for i, one in enumerate(learners):
            meetings = []
            for j in range(K):
                if j != i:
                    by = (i,) if self.verdict == "oneself" else outside(K, i, j)
                    if by not in views:
                        weights = None if trust is None else trust[..., by]
                        views[by] = arena.judged_by([judges[k] for k in by], weights)
                    meetings.append((1 / (K - 1), views[by], learners[j].policy))
            stepped.append(self.solver.step(FacingEach(meetings), one))
        return self._state(arena, state.t + 1, stepped)

    def _trust(self, arena: Judging[Pi], judges: list[SelfPreferring[Pi]]) -> Array | None:
        """Weights float64[S, K] of the members as judges; None for equal ones."""
        if self.anchors is None:
            return None
        return panel_agreement(arena, judges, self.anchors).weights

    def _state(self, arena: Judging[Pi], t: int, members: list[State]) -> State[Pi, tuple[State, ...]]:
        policy = arena.mixture(*((1 / len(members), one.policy) for one in members))
        return State(t, policy, tuple(members))
