"""Direct preference optimisation that explores: a logistic pair loss with a bonus on calibration samples.

Each round refits all pairs so far: pi' = argmin sum of log(1 + exp(-tau (log-ratio to the reference of the
winner - of the loser))) + weight * sum of log pi(calibration samples) over pi = ref exp(r / tau) with |r| at
most `bound`. A positive weight lowers the probability of well-known responses, which is optimism about the
others. A negative weight is pessimism.

The model is a Bradley-Terry reward with a KL penalty. The limit is ref exp(r / tau), where P(y > z) =
sigmoid(r_y - r_z). For tau > 0 it is not the regularised Nash even where such a reward exists, so regret
against the Nash becomes linear. Each round costs one bit per prompt, on tables; lazy updates are accepted.
"""

from __future__ import annotations

from dataclasses import dataclass

from pgames.arena import Calibrating, Duels, Samples
from pgames.losses import logistic
from pgames.solver import Pi, Regularised, State, require
from pgames.solvers.checks import check_steps, require_table


@dataclass(frozen=True)
class XPO(Regularised):
    """Exploratory preference optimisation (arXiv:2405.21046): pi meets the reference.

    weight = alpha on samples of the reference. `optimism=False` flips its sign, as the XPO baseline released
    with arXiv:2606.01382 does: pessimism, a negative control.

    Proved (for a realisable Bradley-Terry reward, alpha ~ 1 / sqrt(T)): suboptimality sqrt(C_cov / T) without
    exp(1 / tau), where passive online DPO needs exp(1 / tau) even with two responses. Observed: with optimism
    a rare good response is met at once; without, not in exp(1 / tau) rounds. A sample changes the loss by up
    to 2 alpha bound / tau, which must be well below 1, or the bonus outweighs the verdicts.
    """

    tau: float
    alpha: float
    optimism: bool = True
    bound: float = 3.0

    def __post_init__(self) -> None:
        _check(self)

    def init(self, arena: Calibrating[Pi, Duels, Samples]) -> State[Pi, tuple[Duels, Samples]]:
        return _start(self, arena)

    def step(
        self, arena: Calibrating[Pi, Duels, Samples], state: State[Pi, tuple[Duels, Samples]]
    ) -> State[Pi, tuple[Duels, Samples]]:
        weight = self.alpha if self.optimism else -self.alpha
        return _fitted(self, arena, state, arena.reference, arena.reference, weight)


@dataclass(frozen=True)
class VPO(Regularised):
    """Value-incentivised preference optimisation (arXiv:2405.19320), online: pi meets itself.

    weight = alpha tau on the mean log-likelihood of the reference's samples, which is -alpha times the value
    of the best policy under the fitted reward. `optimism=False` is its offline form, pessimism.

    Proved (by them, linear rewards, alpha ~ sqrt(T)): cumulative regret O(sqrt T) online. Observed: it jumps
    to an untested rare response. Both responses of a duel are then the same one, so the pairs carry no
    information, whether that response is good or bad.
    """

    tau: float
    alpha: float
    optimism: bool = True
    bound: float = 3.0

    def __post_init__(self) -> None:
        _check(self)

    def init(self, arena: Calibrating[Pi, Duels, Samples]) -> State[Pi, tuple[Duels, Samples]]:
        return _start(self, arena)

    def step(
        self, arena: Calibrating[Pi, Duels, Samples], state: State[Pi, tuple[Duels, Samples]]
    ) -> State[Pi, tuple[Duels, Samples]]:
        weight = self.alpha * self.tau / (state.t + arena.rounds)
        weight = weight if self.optimism else -weight
        return _fitted(self, arena, state, state.policy, arena.reference, weight)


@dataclass(frozen=True)
class SELM(Regularised):
    """Self-exploring language models (arXiv:2405.19332): pi meets itself and lowers its own samples.

    weight = alpha tau on samples of the policy of each round, one per pair.

    Proved (by them, for a variant of it): sublinear regret. Observed: as in VPO, pairs carry no information
    once pi is almost deterministic. The bonus then lowers the response played, and pi moves to another one,
    tested or not.
    """

    tau: float
    alpha: float
    bound: float = 3.0

    def __post_init__(self) -> None:
        _check(self)

    def init(self, arena: Calibrating[Pi, Duels, Samples]) -> State[Pi, tuple[Duels, Samples]]:
        return _start(self, arena)

    def step(
        self, arena: Calibrating[Pi, Duels, Samples], state: State[Pi, tuple[Duels, Samples]]
    ) -> State[Pi, tuple[Duels, Samples]]:
        return _fitted(self, arena, state, state.policy, state.policy, self.alpha * self.tau)


Learner = XPO | VPO | SELM


def _start(learner: Learner, arena: Calibrating[Pi, Duels, Samples]) -> State[Pi, tuple[Duels, Samples]]:
    require(learner, arena, Calibrating)
    require_table(learner, arena)
    return State(0, arena.reference, (arena.no_duels(), arena.no_samples()))


def _fitted(
    learner: Learner,
    arena: Calibrating[Pi, Duels, Samples],
    state: State[Pi, tuple[Duels, Samples]],
    rival: Pi,
    calibration: Pi,
    weight: float,
) -> State[Pi, tuple[Duels, Samples]]:
    """Duel the policy against the rival, sample the calibration policy, fit everything so far."""
    pairs, samples = state.memory
    pairs = pairs + arena.duel(state.policy, rival)
    samples = samples + arena.sample(calibration)
    policy = arena.fit_pairs(
        arena.reference, pairs, logistic, learner.tau, samples=samples, weight=weight, bound=learner.bound
    )
    return State(state.t + arena.rounds, policy, (pairs, samples))


def _check(learner: Learner) -> None:
    name = type(learner).__name__
    check_steps(learner, learner.tau, None, positive_tau=True)
    if not 0 <= learner.alpha < float("inf"):
        raise ValueError(f"{name}: alpha must be finite and at least 0, got {learner.alpha}.")
    if not 0 < learner.bound < float("inf"):
        raise ValueError(f"{name}: bound must be finite and above 0, got {learner.bound}.")
