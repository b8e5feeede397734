"""Certificates for any regulariser: best responses and their gains, from the policy and the game alone."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pgames.regularisers.contract import Regulariser
from pgames.regularisers.steps import policy_of

Array = NDArray[np.float64]

TINY = 1e-300


@np.errstate(
    over="ignore", divide="ignore", invalid="ignore"
)  # references of 1e-300 have slopes beyond 1e308
def bregman_answer(regulariser: Regulariser, reference: Array, advantage: Array, tau: float) -> Array:
    """argmax_p <advantage, p> - tau D(p, reference), float64[..., Y]."""
    return policy_of(regulariser, _dual(regulariser, reference, advantage, tau), reference)


@np.errstate(over="ignore", divide="ignore", invalid="ignore")
def bregman_gap(
    regulariser: Regulariser, reference: Array, pi: Array, advantage: Array, tau: float
) -> NDArray[np.float64]:
    """max_p J(p) - J(pi), float64[...], where J(p) = <advantage, p> - tau D(p, reference).

    With b the best response it is tau D(pi, b) + sum_y pi_y s_y, where s_y >= 0 is the multiplier of a
    response that b leaves out: the same number without the cancellation of J(b) - J(pi). A probability of b
    that underflows is raised to the smallest float, and s_y pays for the difference.
    """
    inside = reference > 0
    safe = np.where(inside, reference, 1.0)
    dual = _dual(regulariser, reference, advantage, tau)
    best = policy_of(regulariser, dual, reference)
    top = best.argmax(axis=-1)[..., None]
    with np.errstate(invalid="ignore", divide="ignore"):
        least = np.where(np.isneginf(regulariser.gradient(np.zeros_like(safe), safe)), TINY, 0.0)
        floored = np.where((best == 0) & inside, least, np.where(inside, best, 0.0))
        own = regulariser.gradient(floored, safe)
        constant = np.take_along_axis(own, top, -1) - np.take_along_axis(dual, top, -1)
        left = np.where((best == 0) & inside & (pi > 0), np.maximum(own - dual - constant, 0.0), 0.0)
    return tau * (regulariser.divergence(pi, floored, safe) + (pi * left).sum(axis=-1))


def _dual(regulariser: Regulariser, reference: Array, advantage: Array, tau: float) -> Array:
    safe = np.where(reference > 0, reference, 1.0)
    inside = reference > 0
    top = np.where(inside, advantage, -np.inf).max(axis=-1, keepdims=True)
    with np.errstate(divide="ignore", over="ignore"):
        dual = regulariser.gradient(reference, safe) + (advantage - top) / tau
    return np.where(inside, dual, -np.inf)
