"""What a best response of each role gains."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pgames.arena import Pair
from pgames.numerics import kl_to_logs, normalise
from pgames.roles.tables import RoleGame
from pgames.solver import Weight

Array = NDArray[np.float64]


def by_role(game: RoleGame, values: Array, policy: Array) -> Pair[Array]:
    """float64[S] for each role, from values of contexts float64[S, C], which `policy` asks for."""
    defended = (values[:, 1:] * game.visits(policy)[:, 1:]).sum(axis=-1)
    return Pair(values[:, 0].copy(), defended)


def gains(game: RoleGame, reference: Array, policy: Array, taus: Pair[Weight]) -> Pair[Array]:
    """What a best response of each role gains on log-probabilities float64[S, C, N]: at least 0, float64[S].

    taus : the weight of the KL of each role to log-probabilities `reference`, at least 0. Above 0 the gain
        is tau KL(policy || best response); at 0 it is the best success rate less that of the policy.

    Raises ValueError for a tau that is negative or not finite, or has another shape than float64[S].
    """
    p, rates = np.exp(policy), game.rates(policy)
    best = np.where(game.support, rates, -np.inf).max(axis=-1)
    greedy = np.maximum(best - (p * rates).sum(axis=-1), 0.0)
    found = []
    for role, tau in zip(Pair._fields, taus, strict=True):
        weights = np.asarray(tau, dtype=np.float64)
        if weights.ndim and weights.shape != (len(policy),):
            raise ValueError(f"tau must be one number or float64[{len(policy)}], got shape {weights.shape}.")
        if not (np.isfinite(weights) & (weights >= 0)).all():
            raise ValueError(f"tau must be finite and at least 0, got {tau}.")
        weights = np.broadcast_to(weights, len(policy))
        scale = np.where(weights > 0, weights, 1.0)
        answers = normalise(reference + rates / scale[:, None, None])
        soft = scale[:, None] * kl_to_logs(p, answers)
        values = np.where(weights[:, None] > 0, soft, greedy)
        found.append(getattr(by_role(game, values, policy), role))
    return Pair(*found)
