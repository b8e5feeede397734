"""Learners that improve a policy by mirror steps fitted from labelled pairs: passive, ENPO, DENPO."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

from pgames.arena import Buffer, Buffering, Exploring, Labels, Mixing
from pgames.numerics import check_numbers
from pgames.solver import Pi, Regularised, State, require
from pgames.solvers.checks import check_steps


@dataclass(frozen=True)
class Schedule:
    """The inverse mirror step eta_t > tau of round t (arXiv:2606.01382 calls 1/eta the step size).

    sqrt: max(c sqrt(t), 1.0001 tau), whose regret grows like sqrt(T); linear: max(2, tau (t + 2) / 2), with
    regret like log(T) on tables at moderate tau; constant: c.

    Raises ValueError for another kind, or when c is not above 0.
    """

    kind: Literal["sqrt", "linear", "constant"] = "sqrt"
    c: float = 0.5

    def __post_init__(self) -> None:
        check_numbers(self)
        if self.kind not in ("sqrt", "linear", "constant"):
            raise ValueError(f"Schedule: kind must be sqrt, linear or constant, got {self.kind!r}.")
        if not self.c > 0:
            raise ValueError(f"Schedule: c must be above 0, got {self.c}.")

    def inverse_step(self, t: int, tau: float) -> float:
        """eta of round t = 1, 2, ..."""
        if self.kind == "sqrt":
            return max(self.c * math.sqrt(t), 1.0001 * tau)
        return max(2.0, tau * (t + 2) / 2) if self.kind == "linear" else self.c


@dataclass(frozen=True)
class ENPO(Regularised):
    """Exploratory Nash preference optimisation (arXiv:2606.01382) with its elliptic adversary.

    Each round adds `pairs` pairs y ~ pi, y' ~ adversary to the buffer and labels `labels` pairs of the whole
    buffer against fresh responses of pi. pi' is the mirror step regressed on the labels. adversary' is the
    response whose difference to pi' has the largest elliptic width in the buffer. `sft` adds
    (sft / eta_t) KL(pi || pi').

    Proved by its authors (abstract): regret O(sqrt T) without exp(1/tau). Derived in our notes: a sketch with
    elliptic potentials. Observed: late log-log slope 0.51 to 0.56 for every tau with the sqrt schedule, and
    log T with `Schedule("linear")`. A round costs 2 * labels * comparators bits per prompt.

    Raises ValueError when tau, sft or a count is out of range, or a constant eta is not above tau.
    """

    tau: float
    schedule: Schedule = Schedule()
    pairs: int = 1
    labels: int = 8
    comparators: int = 1
    sft: float = 0.0
    ridge: float = 1e-3

    def __post_init__(self) -> None:
        check_learner(self)

    def init(self, arena: Exploring[Pi, Buffer, Labels]) -> State[Pi, tuple[Pi, Buffer]]:
        require(self, arena, Exploring)
        return State(0, arena.reference, (arena.reference, arena.empty_buffer()))

    def step(
        self, arena: Exploring[Pi, Buffer, Labels], state: State[Pi, tuple[Pi, Buffer]]
    ) -> State[Pi, tuple[Pi, Buffer]]:
        pi, (adversary, buffer) = state.policy, state.memory
        buffer = arena.collect(buffer, pi, adversary, self.pairs)
        new = _regressed(self, arena, state, buffer)
        return State(state.t + 1, new, (arena.least_known(buffer, new), buffer))


@dataclass(frozen=True)
class DENPO(Regularised):
    """Direct ENPO (arXiv:2606.01382), the variant its authors train: the adversary extrapolates the step.

    As ENPO, with adversary' = pi (pi' / pi)^(sign / beta), beta the weight of its KL to pi.

    Proved: nothing. Observed: the adversary stays in the support of the samples of pi, so on tables it
    fails exactly where `Passive` fails: regret grows linearly on `hidden_rps` from 1/tau = 30.

    Raises ValueError when tau, sft or a count is out of range, a constant eta is not above tau, beta is not
    above 0, or sign is neither 1 nor -1.
    """

    tau: float
    schedule: Schedule = Schedule()
    beta: float = 0.05
    sign: float = 1.0
    pairs: int = 1
    labels: int = 8
    comparators: int = 1
    sft: float = 0.0
    ridge: float = 1e-3

    def __post_init__(self) -> None:
        check_learner(self)
        if not self.beta > 0 or self.sign not in (1, -1):
            raise ValueError(
                f"DENPO: beta must be above 0 and sign 1 or -1, got {self.beta} and {self.sign}."
            )

    def init(self, arena: Buffering[Pi, Buffer, Labels]) -> State[Pi, tuple[Pi, Buffer]]:
        require(self, arena, Buffering)
        return State(0, arena.reference, (arena.reference, arena.empty_buffer()))

    def step(
        self, arena: Buffering[Pi, Buffer, Labels], state: State[Pi, tuple[Pi, Buffer]]
    ) -> State[Pi, tuple[Pi, Buffer]]:
        pi, (adversary, buffer) = state.policy, state.memory
        buffer = arena.collect(buffer, pi, adversary, self.pairs)
        new = _regressed(self, arena, state, buffer)
        ahead = self.sign / self.beta
        adversary = arena.geometric_mixture((1 - ahead, pi), (ahead, new))
        return State(state.t + 1, new, (adversary, buffer))


@dataclass(frozen=True)
class Passive(Regularised):
    """Standard iterative NLHF (arXiv:2407.00617 from samples) on pairs of the policy's own responses.

    loss = "triple" regresses third-sample labels of a buffer, as ENPO does; loss = "pair" minimises INPO's
    loss on `labels` fresh duels of the policy against itself, which is valid because both responses are its
    own. `keep=False` empties the buffer every round, so only fresh pairs are used.

    Proved (our notes): linear regret below a batch of about tau exp(kappa / tau) / (2 g) labels, because
    responses that are never sampled stay at the reference. Observed: slope 1.00 on `hidden_rps` from
    1/tau = 30.

    Raises ValueError when tau, sft or a count is out of range, or a constant eta is not above tau, and for
    another loss.
    """

    tau: float
    schedule: Schedule = Schedule()
    loss: Literal["triple", "pair"] = "triple"
    pairs: int = 1
    labels: int = 8
    comparators: int = 1
    keep: bool = True
    sft: float = 0.0
    ridge: float = 1e-3

    def __post_init__(self) -> None:
        check_learner(self)
        if self.loss not in ("triple", "pair"):
            raise ValueError(f"Passive: loss must be 'triple' or 'pair', got {self.loss!r}.")

    def init(self, arena: Buffering[Pi, Buffer, Labels]) -> State[Pi, Buffer]:
        require(self, arena, Buffering)
        return State(0, arena.reference, arena.empty_buffer())

    def step(self, arena: Buffering[Pi, Buffer, Labels], state: State[Pi, Buffer]) -> State[Pi, Buffer]:
        pi = state.policy
        if self.loss == "pair":
            return State(state.t + 1, self._inpo(arena, state), state.memory)
        buffer = arena.collect(state.memory if self.keep else arena.empty_buffer(), pi, pi, self.pairs)
        return State(state.t + 1, _regressed(self, arena, state, buffer), buffer)

    def _inpo(self, arena: Buffering[Pi, Buffer, Labels], state: State[Pi, Buffer]) -> Pi:
        """argmin of the mean of (h(winner, loser) - 1 / (2 eta))^2 over on-policy duels."""
        prior, eta = _prior(self, arena, state)
        evidence = arena.self_duels(state.policy, self.labels)
        return arena.regress(prior, evidence, 1 / eta, self.sft / eta, self.ridge)


Learner = ENPO | DENPO | Passive


def _prior(learner: Learner, arena: Mixing[Pi], state: State[Pi, Any]) -> tuple[Pi, float]:
    """(pi^(1 - tau/eta) ref^(tau/eta), eta) of this round."""
    eta = learner.schedule.inverse_step(state.t + 1, learner.tau)
    pull = learner.tau / eta
    return arena.geometric_mixture((1 - pull, state.policy), (pull, arena.reference)), eta


def _regressed(
    learner: Learner, arena: Buffering[Pi, Buffer, Labels], state: State[Pi, Any], buffer: Buffer
) -> Pi:
    """The mirror step from the policy, regularised to the reference, fitted to third-sample labels."""
    prior, eta = _prior(learner, arena, state)
    evidence = arena.label(buffer, state.policy, learner.labels, learner.comparators)
    return arena.regress(prior, evidence, 1 / eta, learner.sft / eta, learner.ridge)


def check_learner(learner: Learner) -> None:
    """Raise ValueError unless tau > 0, the inverse step is above tau, and there is a pair and a label."""
    name, schedule = type(learner).__name__, learner.schedule
    check_steps(learner, learner.tau, None, positive_tau=True)
    if not isinstance(schedule, Schedule):
        raise ValueError(
            f"{name}: schedule must be a Schedule, got {schedule!r}: pass Schedule('constant', c) or another "
            f"(on the command line {name}:tau=0.1,schedule=Schedule(constant,2))."
        )
    if schedule.kind == "constant" and schedule.c <= learner.tau:
        raise ValueError(
            f"{name}: eta must be above tau, got eta = {schedule.c:g}, tau = {learner.tau:g}: raise c."
        )
    if min(learner.pairs, learner.labels, learner.comparators) < 1:
        raise ValueError(
            f"{name}: pairs, labels and comparators must be at least 1, got {learner.pairs}, "
            f"{learner.labels} and {learner.comparators}."
        )
    if not (0 <= learner.sft < math.inf and 0 < learner.ridge < math.inf):
        raise ValueError(
            f"{name}: sft must be at least 0 and ridge above 0, both finite, got {learner.sft} and "
            f"{learner.ridge}."
        )
