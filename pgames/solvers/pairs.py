"""Solvers that fit a loss to compared pairs: the DPO / IPO / SLiC / GPO family, RLHF and SPIN."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

from pgames.arena import Demonstrating, Duelling, Duels, Evidence, Pairing, Rewarding, Score
from pgames.losses import PairLoss, hinge, logistic, squared
from pgames.solver import Memoryless, Pi, Regularised, State, Weight, require
from pgames.solvers.checks import check_steps


@dataclass(frozen=True)
class GPO(Regularised):
    """Generalised preference optimisation, offline (Tang et al., arXiv:2402.05749): one fit of a convex loss.

    pi = argmin E loss(tau * (log-ratio to the reference of the winner - that of the loser)), over `pairs`,
    or over duels of the reference against itself when `pairs` is None. Every round repeats the same fit.

    Known failure: it answers the policy that drew the pairs, not itself, and can be exploited.
    """

    loss: PairLoss
    tau: Weight
    pairs: Evidence | None = None

    def __post_init__(self) -> None:
        check_steps(self, self.tau, None, positive_tau=True)

    def init(self, arena: Pairing[Pi, Duels]) -> Memoryless[Pi]:
        require(self, arena, Pairing)
        return State(0, arena.reference)

    def step(self, arena: Pairing[Pi, Duels], state: Memoryless[Pi]) -> Memoryless[Pi]:
        pairs = _pairs(arena, self.pairs)
        return State(state.t + 1, arena.fit_pairs(arena.reference, pairs, self.loss, self.tau))


@dataclass(frozen=True)
class OnlineGPO(Regularised):
    """The fit of `GPO` on fresh duels of the current policy against itself every round (arXiv:2403.08635).

    fit = argmin E_{y, y' ~ pi} loss(tau * log-ratios to the reference); pi' = pi^(1 - eta tau) fit^(eta tau).
    eta tau = 1 (eta=None) minimises to convergence; a smaller eta stands for a few gradient steps.

    Fixed points: squared, the regularised Nash; logistic and others, not unless P is Bradley-Terry.
    Known failure: minimised to convergence it is a smoothed best response, which cycles for tau < w.
    """

    loss: PairLoss
    tau: Weight
    eta: Weight | None = None

    def __post_init__(self) -> None:
        check_steps(self, self.tau, self.eta, positive_tau=True)

    def init(self, arena: Pairing[Pi, Duels]) -> Memoryless[Pi]:
        require(self, arena, Pairing)
        return State(0, arena.reference)

    def step(self, arena: Pairing[Pi, Duels], state: Memoryless[Pi]) -> Memoryless[Pi]:
        pi = state.policy
        fit = arena.fit_pairs(arena.reference, arena.duel(pi, pi), self.loss, self.tau)
        if self.eta is not None:
            fit = arena.geometric_mixture((1 - self.eta * self.tau, pi), (self.eta * self.tau, fit))
        return State(state.t + 1, fit)


def DPO(tau: Weight, pairs: Evidence | None = None) -> GPO:
    """Direct preference optimisation (arXiv:2305.18290): offline, logistic; correct iff Bradley-Terry."""
    return GPO(logistic, tau, pairs)


def IPO(tau: Weight, pairs: Evidence | None = None) -> GPO:
    """Identity preference optimisation (arXiv:2310.12036): offline, squared; a soft best response."""
    return GPO(squared, tau, pairs)


def SLiC(tau: Weight, pairs: Evidence | None = None) -> GPO:
    """Sequence likelihood calibration (arXiv:2305.10425): offline, hinge."""
    return GPO(hinge(), tau, pairs)


def OnlineDPO(tau: Weight, eta: Weight | None = None) -> OnlineGPO:
    """Online DPO (arXiv:2402.04792): with two responses it finds the Bradley-Terry optimum, not the Nash."""
    return OnlineGPO(logistic, tau, eta)


def OnlineIPO(tau: Weight, eta: Weight | None = None) -> OnlineGPO:
    """Online IPO (arXiv:2403.08635): with eta it is INPO, fitted from on-policy pairs."""
    return OnlineGPO(squared, tau, eta)


@dataclass(frozen=True)
class RLHF(Regularised):
    """Reinforcement learning from human feedback: a Bradley-Terry reward, then its optimal policy.

    pi = ref exp(r / tau), r fitted by maximum likelihood to duels of the reference against itself.

    Known failure: no reward represents a cycle. A small change of one preference moves the policy from one
    corner to another, and the fitted reward depends on which responses were compared.
    """

    tau: Weight
    pairs: Evidence | None = None

    def __post_init__(self) -> None:
        check_steps(self, self.tau, None, positive_tau=True)

    def init(self, arena: Rewarding[Pi, Duels, Score]) -> Memoryless[Pi]:
        require(self, arena, Rewarding)
        return State(0, arena.reference)

    def step(self, arena: Rewarding[Pi, Duels, Score], state: Memoryless[Pi]) -> Memoryless[Pi]:
        pairs = _pairs(arena, self.pairs)
        return State(state.t + 1, arena.tilt(arena.reference, arena.fit_reward(pairs), 1 / self.tau))


@dataclass(frozen=True)
class SPIN:
    """Self-play fine-tuning (arXiv:2401.01335): imitate the arena's expert by contrast with the last policy.

    pi' = argmin E_{y ~ expert, y' ~ pi} log(1 + exp(-lam (log-ratio to pi of y - of y'))).

    Theorem: the expert is the fixed point; the log-ratio to it shrinks by (1 - 1/lam) a round.
    Known failure: for lam < 1/2 it diverges, with period two. It uses no preference and asks no judge.
    """

    lam: Weight

    def __post_init__(self) -> None:
        check_steps(self, 0.0, self.lam)

    @property
    def target(self) -> None:
        return None

    def init(self, arena: Demonstrating[Pi, Duels]) -> Memoryless[Pi]:
        require(self, arena, Demonstrating)
        if arena.expert is None:
            raise ValueError("SPIN imitates an expert and this arena has none: pass expert= to the arena.")
        return State(0, arena.reference)

    def step(self, arena: Demonstrating[Pi, Duels], state: Memoryless[Pi]) -> Memoryless[Pi]:
        assert arena.expert is not None
        pairs = arena.demonstrate(arena.expert, state.policy)
        return State(state.t + 1, arena.fit_pairs(state.policy, pairs, logistic, self.lam))


def _pairs(arena: Duelling[Pi, Duels], own: Evidence | None) -> Duels:
    """The user's pairs, as evidence of this arena, or duels of the reference against itself when None."""
    return arena.duel(arena.reference, arena.reference) if own is None else cast(Duels, own)
