"""Exact mirror steps, mixtures in dual coordinates and projections on the simplex, for any regulariser.

A policy p with dual coordinates phi'(p) = z + lam, lam such that sum p = 1, is the argmax of <z, p> - psi(p).
Multiplier and policy are found by Newton's method on phi'(sum p) = phi'(1), an increasing convex function of
lam that is a straight line for KL and nearly one for every regulariser here.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pgames.regularisers.contract import Regulariser

Array = NDArray[np.float64]

MAX_STEPS = 200
SETTLED = 4 * float(np.finfo(float).eps)
CLOSE = 1e-9  # the largest |sum p - 1| that rounding may leave


def policy_of(regulariser: Regulariser, dual: Array, base: Array) -> Array:
    """The distribution p float64[..., Y] with phi'(p) = dual + a constant, 0 where that is below phi'(0).

    dual float64[..., Y]; base float64[..., Y]; a response with base 0 or dual -inf gets 0. Every row needs a
    finite entry. Raises RuntimeError when the multiplier is not found, never seen for finite duals.
    """
    shape = np.broadcast_shapes(dual.shape, base.shape)
    base = np.broadcast_to(base, shape)
    inside = (base > 0) & (dual > -np.inf)
    base, dual = np.where(inside, base, 1.0), np.where(inside, dual, 0.0)
    whole = regulariser.gradient(np.ones(shape), base)  # the dual coordinate of p = 1
    room = np.where(inside, whole - dual, np.inf)
    first = room.argmin(axis=-1)[..., None]  # as the multiplier grows, the first response whose p is 1
    # differences first: where its base is 1e-300, phi'(1) is lost beside a dual of size 1
    z = dual - np.take_along_axis(dual, first, -1) + np.take_along_axis(whole, first, -1)
    z = np.where(inside, np.minimum(z, whole), 0.0)
    one = np.ones(1)
    wanted = float(regulariser.gradient(one, one)[0])
    shift = np.zeros(first.shape)
    done = np.zeros(first.shape, dtype=bool)  # settled rows stay, so no bit depends on the rows beside them
    for _ in range(MAX_STEPS):
        p = np.where(inside, regulariser.inverse(z + shift, base), 0.0)
        total = p.sum(axis=-1, keepdims=True)
        flow = flows(regulariser, p, base).sum(axis=-1, keepdims=True)
        mass = np.ones_like(total)
        rise = (regulariser.gradient(total, mass) - wanted) / regulariser.curvature(total, mass)
        moved = shift - rise / flow
        close = np.abs(total - 1)
        back = (moved >= shift) & (close <= CLOSE)  # Newton's method only falls, up to rounding
        done |= (close <= SETTLED) | back
        settled = np.abs(moved - shift) <= SETTLED * np.abs(shift)
        shift = np.where(done, shift, moved)
        done |= settled
        if done.all():
            break
    p = np.where(inside, regulariser.inverse(z + shift, base), 0.0)
    total = p.sum(axis=-1, keepdims=True)
    if not (np.abs(total - 1) <= 1e3 * CLOSE).all():
        worst = float(total.flat[int(np.argmax(np.abs(total - 1)))])
        raise RuntimeError(
            f"{regulariser.name}: no multiplier makes the policy sum to 1; the closest sum is {worst}: check "
            "the inverse of its gradient, and that scores are finite."
        )
    return p / total


def flows(regulariser: Regulariser, p: Array, base: Array) -> Array:
    """dp / d dual = 1 / phi''(p) where p > 0, else 0: float64[..., Y]; base must be above 0."""
    played = p > 0
    with np.errstate(over="ignore", divide="ignore"):
        return np.where(played, 1 / regulariser.curvature(np.where(played, p, 1.0), base), 0.0)


def tilted(regulariser: Regulariser, prior: Array, score: Array, step: Any, base: Array) -> Array:
    """argmax_p <score, p> - D(p, prior) / step, float64[..., Y]. A negative step descends."""
    with np.errstate(divide="ignore", invalid="ignore"):
        move = np.asarray(step) * (score - score.max(axis=-1, keepdims=True))
        dual = regulariser.gradient(prior, np.where(base > 0, base, 1.0)) + move
    return policy_of(regulariser, dual, base)


def blended(regulariser: Regulariser, weights: list[Any], policies: list[Array], base: Array) -> Array:
    """The policy whose dual coordinates are the weighted sum of theirs, float64[..., Y]."""
    safe = np.where(base > 0, base, 1.0)
    dual = np.zeros(policies[0].shape)
    for weight, policy in zip(weights, policies, strict=True):
        used = np.broadcast_to(np.asarray(weight) != 0, dual.shape)
        with np.errstate(invalid="ignore", divide="ignore"):
            dual = np.where(used, dual + weight * regulariser.gradient(policy, safe), dual)
    return policy_of(regulariser, dual, base)


def restricted(regulariser: Regulariser, prior: Array, allowed: NDArray[np.bool_], base: Array) -> Array:
    """argmin_p D(p, prior) over the policies that play only `allowed` bool[..., Y]: float64[..., Y]."""
    with np.errstate(divide="ignore"):
        dual = regulariser.gradient(prior, np.where(base > 0, base, 1.0))
    return policy_of(regulariser, np.where(allowed, dual, -np.inf), base)
