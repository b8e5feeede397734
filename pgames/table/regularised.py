"""RegularisedSimplices: policies mixed and moved in the geometry of a regulariser other than KL."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pgames.mixing import Policy, Simplices
from pgames.regularisers.contract import Regulariser
from pgames.regularisers.steps import blended, restricted, tilted
from pgames.solver import Weight


@dataclass(frozen=True, eq=False)
class RegularisedSimplices(Simplices):
    """The policies of `Simplices`, float64[S, X, Y], whose steps and mixtures are those of a regulariser.

    base : float64[X, Y], the reference of the game. A log-probability of -inf inside the game is a response
    that the policy leaves out for now; a later step may play it again.
    """

    base: NDArray[np.float64]
    regulariser: Regulariser

    def geometric_mixture(self, *terms: tuple[Weight, Policy]) -> Policy:
        """The policy with phi'(pi) = sum_i w_i phi'(pi_i) + a constant: float64[S, X, Y].

        Weights may be negative; all 0 is the policy of constant phi'. Raises ValueError without terms, or
        for a weight that is not finite and a number or float64[S].
        """
        weights, policies = zip(*self._terms(terms), strict=True)
        spread = [weight[:, None, None] for weight in weights]
        return _logs(blended(self.regulariser, spread, [np.exp(one) for one in policies], self.base))

    def tilt(self, prior: Policy, score: NDArray[np.float64], step: Weight) -> Policy:
        """argmax_pi <score, pi> - D(pi, prior) / step: float64[S, X, Y]; score float64[S, X, Y] or less.

        A negative step moves the dual coordinates the other way. Raises ValueError for a step that is not
        finite.
        """
        steps = self.per_run(step)[:, None, None]
        return _logs(tilted(self.regulariser, np.exp(prior), score, steps, self.base))

    def best_response(self, prior: Policy, rates: NDArray[np.float64]) -> Policy:
        """The limit of `tilt` as step grows, float64[S, X, Y]: argmin D(pi, prior) on the largest rates."""
        rates = np.where(self.support, rates, -np.inf)
        best = rates >= rates.max(axis=-1, keepdims=True) - 1e-12
        return _logs(restricted(self.regulariser, np.exp(prior), best, self.base))


def _logs(p: NDArray[np.float64]) -> Policy:
    with np.errstate(divide="ignore"):
        return np.log(p)
