"""The policy that the visits of PUCT approach: a mirror step whose divergence is reversed.

A mirror step maximises <pi, q> - KL(pi || prior) / step, and its policy is prior exp(step q), normalised. The
visits of PUCT approach the maximum of <pi, q> - lam KL(prior || pi), lam = c sqrt(N) / (V + N) after N visits
of V actions (arXiv:2007.12509). The two agree to second order in the step 1 / lam.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pgames.numerics import check_distribution, real

ROUNDS = 200  # of Newton, which needs about ten


def regularised_policy(prior: ArrayLike, value: ArrayLike, lam: ArrayLike) -> NDArray[np.float64]:
    """argmax_pi <pi, value> - lam KL(prior || pi), which is lam prior / (alpha - value): float64[..., V].

    prior : float64[..., V], probabilities; an action of probability 0 keeps it.
    value : float64[..., V], finite.
    lam : above 0, a number or float64[...].

    alpha is found by Newton from max(value + lam prior), where the policy sums to at least 1. The sum is
    convex and falls in alpha, so Newton never passes the root.
    Raises ValueError when the prior is not a distribution or over other actions than the value, a value is
    not finite, or lam is not above 0.
    """
    p, q = real("the prior", prior), real("the value", value)
    check_distribution("the prior", p)
    if p.shape[-1:] != q.shape[-1:]:
        raise ValueError(
            f"the prior and the value must be over the same actions, got {p.shape} and {q.shape}."
        )
    if not np.isfinite(q).all():
        raise ValueError(
            "a value of a regularised policy must be finite: give unvisited actions their node's."
        )
    weight = real("lam", lam)[..., None]
    if not (np.isfinite(weight) & (weight > 0)).all():
        raise ValueError(f"lam must be finite and above 0, got {lam}: the limit 0 is the greedy policy.")
    p, q, weight = np.broadcast_arrays(p, q, weight)
    inside = p > 0
    mass = np.where(inside, weight * p, 0.0)
    top = np.where(inside, q, -np.inf).max(axis=-1, keepdims=True)
    below = np.where(inside, top - q, 1.0)  # distances from the best action: alpha - top loses no digits
    alpha = np.where(inside, mass - below, -np.inf).max(axis=-1, keepdims=True)
    for _ in range(ROUNDS):
        gap = np.where(inside, alpha + below, 1.0)
        total = (mass / gap).sum(axis=-1, keepdims=True)
        step = (total - 1) / (mass / gap**2).sum(axis=-1, keepdims=True)
        if not (step > 4e-16 * np.maximum(alpha, 1e-300)).any():
            break
        alpha = alpha + np.maximum(step, 0.0)
    policy = mass / np.where(inside, alpha + below, 1.0)
    return policy / policy.sum(axis=-1, keepdims=True)
