"""Policies as tables of log-probabilities, and the verbs that ask for no preference.

`TableArena` and `RoleArena` hold a `Simplices` each. A policy is float64[S, X, Y]: S runs, X rows, each a
distribution over at most Y responses; -inf marks a response outside the game.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pgames.kernels import blocks
from pgames.numerics import check_distribution, real
from pgames.solver import Weight

Policy = NDArray[np.float64]  # log-probabilities float64[S, X, Y]
ONE, NOTHING = np.ones(1), np.zeros(1)


def check_members(members: Sequence[Policy], what: str, shape: str, maker: str) -> None:
    """Check a population, whose members are `what` of a shape and made by the verb `maker`.

    Raises ValueError when there is no member, or one has no shape [S, X, Y] or another shape than the first.
    """
    if len(members) == 0:
        raise ValueError("a population needs at least one member.")
    for k, policy in enumerate(members):
        if np.ndim(policy) != 3 or np.shape(policy) != np.shape(members[0]):
            raise ValueError(
                f"members must be {what} of one shape {shape}, as `{maker}` makes them: member {k} has shape "
                f"{list(np.shape(policy))}."
            )


@dataclass(frozen=True, eq=False)
class Simplices:
    """Every policy of `runs` runs on a support bool[X, Y]: the responses that are in the game."""

    runs: int
    support: NDArray[np.bool_]

    def policy(self, probabilities: ArrayLike) -> Policy:
        """The handle float64[S, X, Y] of probabilities float64[Y], float64[X, Y] or float64[S, X, Y].

        Raises ValueError when the shape differs, a row is not a distribution, or mass lies outside the game.
        """
        p = real("a policy", probabilities)
        shape = (self.runs, *self.support.shape)
        try:
            p = np.broadcast_to(p, shape)
        except ValueError:
            raise ValueError(
                f"a policy of this arena has shape {list(shape)}, got {list(p.shape)}."
            ) from None
        check_distribution("a policy", p)
        if (p[:, ~self.support] > 0).any():
            raise ValueError("a policy has mass on a response whose reference probability is 0: set it to 0.")
        with np.errstate(divide="ignore"):
            return blocks.normalise(np.log(p))

    def geometric_mixture(self, *terms: tuple[Weight, Policy]) -> Policy:
        """prod_i pi_i ** w_i, normalised: float64[S, X, Y]. Weights may be negative; all 0 is uniform.

        Raises ValueError without terms, or for a weight that is not finite and a number or float64[S].
        """
        (v, policy), *rest = weighted = self._terms(terms)
        if not v.all():  # where all weights are 0 the product is uniform over the responses in the game
            empty = ~np.any(np.broadcast_arrays(*(w for w, _ in weighted)), axis=0)
            if empty.any():
                flat = self.support / self.support.sum(axis=1, keepdims=True)
                rest.append((empty.astype(np.float64), self.policy(flat)))
        for i, (w, other) in enumerate(rest):
            policy = blocks.blend(v, policy, w, other, i == len(rest) - 1)
            v = ONE
        return policy

    def mixture(self, *terms: tuple[Weight, Policy]) -> Policy:
        """sum_i w_i pi_i: float64[S, X, Y], log-probabilities.

        Raises ValueError without terms, or unless the weights are at least 0 and sum to 1.
        """
        (v, policy), *rest = weighted = self._terms(terms)
        total = sum(w for w, _ in weighted)
        if np.abs(total - 1.0).max() > 1e-6 or min(w.min() for w, _ in weighted) < 0:
            weights = ", ".join(str(w) for w, _ in terms)
            raise ValueError(
                f"weights of a mixture must be at least 0 and sum to 1, got {weights}: divide by their sum."
            )
        for w, other in rest:
            policy = blocks.mix(v, policy, w, other)
            v = ONE
        return policy

    def tilt(self, prior: Policy, score: NDArray[np.float64], step: Weight) -> Policy:
        """prior * exp(step * score), normalised: float64[S, X, Y]; score float64[S, X, Y] or less.

        Raises ValueError for a step that is not finite.
        """
        score = np.ascontiguousarray(np.broadcast_to(score, prior.shape))
        return blocks.tilt(prior, score, self.per_run(step))

    def best_response(self, prior: Policy, rates: NDArray[np.float64]) -> Policy:
        """The limit of `tilt` as step grows: the prior restricted to the largest rates, float64[S, X, Y]."""
        rates = np.where(prior > -np.inf, rates, -np.inf)
        best = rates >= rates.max(axis=-1, keepdims=True) - 1e-12
        return blocks.normalise(np.where(best, prior, -np.inf))

    def per_run(self, weight: Weight) -> NDArray[np.float64]:
        """The weight as float64[1] for one number, or float64[S] for one per run.

        Raises ValueError for a weight of another shape, or one that is not finite.
        """
        if isinstance(weight, (float, int)):
            if not math.isfinite(weight):
                raise ValueError(f"a weight or a step must be finite, got {weight}.")
            return np.array([weight], dtype=np.float64)
        values = np.asarray(weight, dtype=np.float64)
        if values.ndim and values.shape != (self.runs,):
            raise ValueError(
                f"a weight must be a number or float64[{self.runs}], one per run, got shape {values.shape}."
            )
        if not np.isfinite(values).all():
            raise ValueError(f"a weight or a step must be finite, got {weight}.")
        return np.ascontiguousarray(values).reshape(-1)

    def _terms(self, terms: tuple[tuple[Weight, Policy], ...]) -> list[tuple[NDArray[np.float64], Policy]]:
        """The terms with weights as arrays, padded to two: the kernels combine two terms at a time."""
        if not terms:
            raise ValueError("a mixture needs at least one (weight, policy) term.")
        weighted = [(self.per_run(weight), policy) for weight, policy in terms]
        return weighted if len(weighted) > 1 else [*weighted, (NOTHING, weighted[0][1])]
