"""Learners with a minimax oracle: the policy is the Nash of the belief, and another player explores.

Each round duels the second player against the policy and costs one bit per prompt (two for OMG). Lazy updates
are accepted: a step may stand for several rounds.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from pgames.arena import Believing, Duels, Enumerating, Width
from pgames.solver import Pi, Regularised, State, require
from pgames.solvers.checks import check_steps


@dataclass(frozen=True)
class OnPolicyGreedy(Regularised):
    """Both players sample the Nash of the estimate: passive exploration.

    A round duels the explorer against the policy, then answers with the Nash of all duels so far. The other
    learners of this file differ in the explorer, or in the round.

    Proved (our notes): on hidden instances regret is at least c min(T, exp(kappa / tau)). Observed: regret is
    heavy-tailed even with a uniform reference, because a response that loses its first duel is rarely
    sampled again.

    Raises ValueError when tau is not above 0.
    """

    tau: float

    def __post_init__(self) -> None:
        check_steps(self, self.tau, None, positive_tau=True)

    def init(self, arena: Believing[Pi, Duels]) -> State[Pi, Duels]:
        require(self, arena, Believing)
        return State(0, arena.reference, arena.no_duels())

    def step(self, arena: Believing[Pi, Duels], state: State[Pi, Duels]) -> State[Pi, Duels]:
        evidence = state.memory + arena.duel(self.explorer(arena, state), state.policy)
        return self._answered(arena, state, evidence)

    def explorer(self, arena: Believing[Pi, Duels], state: State[Pi, Duels]) -> Pi:
        """The policy of the second player: here that of the first."""
        return state.policy

    def _answered(
        self, arena: Believing[Pi, Duels], state: State[Pi, Duels], evidence: Duels
    ) -> State[Pi, Duels]:
        policy = arena.believe(evidence).nash(self.tau, start=state.policy)
        return State(state.t + arena.rounds, policy, evidence)


@dataclass(frozen=True)
class Greedy(OnPolicyGreedy):
    """The second player samples the reference (Wu, Shi, Yang and Shen, arXiv:2510.24700); no bonus.

    Proved (their abstract): O(exp(1/tau) log T). Observed: growth exp(0.19 / tau) on `hidden_rps`, as
    1 / ref(d) = exp(0.2 / tau) predicts.
    """

    def explorer(self, arena: Believing[Pi, Duels], state: State[Pi, Duels]) -> Pi:
        return arena.reference


@dataclass(frozen=True)
class UniformAdversary(OnPolicyGreedy):
    """The second player is uniform over the responses.

    Observed: as good as any other while responses are few; with C clones of each, regret grows like C.
    """

    def init(self, arena: Enumerating[Pi, Duels]) -> State[Pi, Duels]:
        require(self, arena, Enumerating)
        return super().init(arena)

    def explorer(self, arena: Enumerating[Pi, Duels], state: State[Pi, Duels]) -> Pi:
        return arena.uniform


@dataclass(frozen=True)
class Optimistic(OnPolicyGreedy):
    """The second player is the best response to the policy under the optimistic belief.

    Proved (our notes, `bounds.optimistic_oracle`): regret <= (e / (2 tau)) X (K(K-1)/2)(1 + (L/2)(1 + ln T)),
    log T without exp(1/tau) or coverage. Observed: a + b ln T with b = 0.106 / tau on `hidden_rps`.

    Raises ValueError when tau or optimism is not above 0.
    """

    optimism: float = 1.0
    width: Width = "hoeffding"

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 < self.optimism < math.inf:
            raise ValueError(
                f"Optimistic: optimism must be finite and above 0, got {self.optimism}: Greedy has none."
            )

    def explorer(self, arena: Believing[Pi, Duels], state: State[Pi, Duels]) -> Pi:
        optimistic = arena.believe(state.memory, self.optimism, self.width)
        return optimistic.mirror_step(arena.reference, state.policy, 1 / self.tau)


@dataclass(frozen=True)
class Enhancer(OnPolicyGreedy):
    """The second player is the response least known against the policy (arXiv:2402.07314, on counts).

    Proved (by them, for finite classes): an eps-Nash from O(d / eps^2) samples. Observed: log T, 0.9 of the
    regret of `Optimistic` or less.
    """

    def explorer(self, arena: Believing[Pi, Duels], state: State[Pi, Duels]) -> Pi:
        return arena.believe(state.memory).least_known(state.policy)


@dataclass(frozen=True)
class OMG(OnPolicyGreedy):
    """Optimistic matrix game (arXiv:2510.13060), symmetric: the optimistic best response duels the Nash.

    Two duels a round: (answer, nash) and (nash, answer). Proved (abstract): min of O(sqrt T) and
    polylog(T) / tau. Observed: `Optimistic` at twice the bits.

    Raises ValueError when optimism is not finite.
    """

    optimism: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if not math.isfinite(self.optimism):
            raise ValueError(f"OMG: optimism must be finite, got {self.optimism}.")

    def step(self, arena: Believing[Pi, Duels], state: State[Pi, Duels]) -> State[Pi, Duels]:
        pi, optimistic = state.policy, arena.believe(state.memory, self.optimism)
        answer = optimistic.mirror_step(arena.reference, pi, 1 / self.tau)
        return self._answered(arena, state, state.memory + arena.duel(answer, pi) + arena.duel(pi, answer))


@dataclass(frozen=True)
class VMG(OnPolicyGreedy):
    """Value-incentivised Markov game (arXiv:2502.09780), tabular: the estimate is biased towards high value.

    belief = argmin sum (P - bit)^2 - alpha gap_P(pi); pi' = its Nash; both players sample pi.

    Proved (by them, general classes): O(sqrt T). It uses no width: only the bias explores.

    Raises ValueError when tau or alpha is not above 0.
    """

    alpha: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.alpha > 0:
            raise ValueError(f"VMG: alpha must be above 0, got {self.alpha}.")

    def step(self, arena: Believing[Pi, Duels], state: State[Pi, Duels]) -> State[Pi, Duels]:
        pi = state.policy
        evidence = state.memory + arena.duel(pi, pi)
        biased = arena.believe(evidence).favouring(pi, self.tau, self.alpha)
        return State(state.t + arena.rounds, biased.nash(self.tau, start=pi), evidence)


@dataclass(frozen=True)
class ExploreThenCommit(OnPolicyGreedy):
    """Duel uniform against uniform for `explore` rounds, holding the reference; then play the Nash.

    Proved (arXiv:2602.23116, under coverage): O(sqrt(T / tau)) for the best `explore`, which depends on T.

    Raises ValueError when tau is not above 0, or explore below 1.
    """

    explore: int = 1000

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.explore < 1:
            raise ValueError(f"ExploreThenCommit: explore must be at least 1, got {self.explore}.")

    def init(self, arena: Enumerating[Pi, Duels]) -> State[Pi, Duels]:
        require(self, arena, Enumerating)
        return super().init(arena)

    def step(self, arena: Enumerating[Pi, Duels], state: State[Pi, Duels]) -> State[Pi, Duels]:
        t = state.t + arena.rounds
        if state.t >= self.explore:
            return State(t, state.policy, state.memory)
        evidence = state.memory + arena.duel(arena.uniform, arena.uniform)
        policy = arena.believe(evidence).nash(self.tau, start=state.policy)
        return State(t, policy if t >= self.explore else state.policy, evidence)
