"""Belief: the game that each run estimates from its duels, with or without optimism."""

from __future__ import annotations

import copy
import math

import numpy as np
from numpy.typing import NDArray

from pgames.arena import Width
from pgames.counts import PairCounts
from pgames.kernels import blocks
from pgames.solver import Weight
from pgames.table import belief_kernels
from pgames.table.arena import Policy
from pgames.table.duelled import Duelled


def check_optimism(optimism: float) -> float:
    """`optimism` as a float. Raises ValueError when it is not a finite number."""
    if isinstance(optimism, str) or np.ndim(optimism) or not math.isfinite(optimism):
        raise ValueError(
            f"optimism must be a finite number, above 0 for the upper end of the intervals and below 0 for "
            f"the lower end, got {optimism!r}."
        )
    return float(optimism)


def refuse_nash(optimism: float) -> None:
    """Raises ValueError unless `optimism` is 0: only then is a belief a game, which has a Nash."""
    if optimism != 0:
        raise ValueError(
            f"a belief with optimism {optimism:g} is not a game, as P + P' differs from 1, and has no Nash: "
            "believe with optimism 0, or take a mirror_step of this one."
        )


class Belief:
    """An arena whose preference is `rates` float64[S, X, Y, Y], the estimated probability that y beats z.

    The estimate p is the share of wins, 1/2 for a pair never compared. With optimism c it is p + c w clipped
    to [0, 1], the upper end of the confidence interval for c > 0 and the lower end, pessimism, for c < 0.
    The width w is at most 1 and, with L = log(2 Y^2 X (1 + t)^2),

    - hoeffding: sqrt(L / (2 N));
    - bernstein: sqrt(2 p (1 - p) L / N) + 3 L / N (Audibert, Munos and Szepesvari 2009), narrower for pairs
      in which one response nearly always wins.

    The diagonal is known to be 1/2 and gets no bonus. Such a belief is not a game: P + P' differs from 1.

    Raises ValueError for another width, or an optimism that is not finite.
    """

    def __init__(
        self, arena: Duelled, evidence: PairCounts, optimism: float = 0.0, width: Width = "hoeffding"
    ):
        if width not in ("hoeffding", "bernstein"):
            raise ValueError(f"width must be 'hoeffding' or 'bernstein', got {width!r}.")
        self.optimism = check_optimism(optimism)
        t = arena.round
        confidence = math.log(2 * arena.responses**2 * arena.prompts * (1.0 + t) ** 2)
        self.reference = arena.reference
        self.evidence = evidence
        self.rates = belief_kernels.belief_rates(
            evidence.wins, self.optimism, confidence, width == "bernstein"
        )
        self._arena = arena

    def geometric_mixture(self, *terms: tuple[Weight, Policy]) -> Policy:
        """prod_i pi_i ** w_i, normalised: float64[S, X, Y]. Weights may be negative."""
        return self._arena.geometric_mixture(*terms)

    def mixture(self, *terms: tuple[Weight, Policy]) -> Policy:
        """sum_i w_i pi_i: float64[S, X, Y]. Weights are at least 0 and sum to 1."""
        return self._arena.mixture(*terms)

    def win_rates(self, opponent: Policy) -> NDArray[np.float64]:
        """The believed P(y > opponent), float64[S, X, Y]."""
        return belief_kernels.expected_rates(self.rates, opponent)

    def mirror_step(self, prior: Policy, opponent: Policy, step: Weight) -> Policy:
        """prior * exp(step * P(. > opponent)), normalised, P as believed: float64[S, X, Y]."""
        steps = np.full(len(prior), step, dtype=np.float64)
        return blocks.tilt(prior, self.win_rates(opponent), steps)

    def nash(self, tau: float, start: Policy) -> Policy:
        """The regularised Nash of the belief, float64[S, X, Y], warm-started from `start`.

        Raises ValueError when the belief is optimistic or pessimistic, because it is then no game.
        """
        refuse_nash(self.optimism)
        return belief_kernels.belief_nash(self.rates, self.reference[0], tau, start)

    def favouring(self, policy: Policy, tau: float, alpha: float) -> Belief:
        """The belief that minimises sum (P - bit)^2 - alpha gap_P(policy) (VMG), by three fixed-point steps.

        P = estimate + alpha (b(y) pi(z) - pi(y) b(z)) / (2 (N + 1)), b the best response to `policy` under P.
        Raises ValueError when the belief is optimistic or pessimistic.
        """
        estimate, wins = self.rates, self.evidence.wins
        weight = alpha / (2 * (wins + np.swapaxes(wins, -1, -2) + 1))
        refuse_nash(self.optimism)
        biased, pi = copy.copy(self), np.exp(policy)
        for _ in range(3):
            answer = np.exp(biased.mirror_step(self.reference, policy, 1 / tau))
            pull = answer[..., :, None] * pi[..., None, :]
            biased.rates = np.clip(estimate + weight * (pull - np.swapaxes(pull, -1, -2)), 0.0, 1.0)
        return biased

    def least_known(self, opponent: Policy) -> Policy:
        """The response least known against `opponent`: argmax_y sum_z opponent(z) / max(N(y, z), 1/2)."""
        wins = self.evidence.wins
        doubt = 1 / np.maximum(wins + np.swapaxes(wins, -1, -2), 0.5)
        width = np.einsum("sxyz,sxz->sxy", doubt, np.exp(opponent))
        width[~np.broadcast_to(self._arena.support, width.shape)] = -np.inf
        out = np.full(width.shape, -np.inf)
        np.put_along_axis(out, width.argmax(axis=-1)[..., None], 0.0, axis=-1)
        return out
