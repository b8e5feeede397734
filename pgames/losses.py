"""Convex pair losses f(margin) with f'(0) < 0 (the GPO family, arXiv:2402.05749), and their minimiser."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pgames.numerics import sigmoid

Array = NDArray[np.float64]


class PairLoss(NamedTuple):
    """A convex loss of the margin beta * (log-ratio of the winner - log-ratio of the loser).

    `value`, `slope` and `curvature` take margins float64[...] of any shape, and return that shape.
    """

    name: str
    value: Callable[[Array], Array]  # margins float64[...] -> losses float64[...]
    slope: Callable[[Array], Array]  # its first derivative
    curvature: Callable[[Array], Array]  # its second derivative, at least 0

    def __repr__(self) -> str:
        return self.name


logistic = PairLoss(
    "logistic",
    lambda m: np.logaddexp(0.0, -m),
    lambda m: -sigmoid(-m),
    lambda m: sigmoid(m) * sigmoid(-m),
)
"""log(1 + exp(-margin)): DPO (arXiv:2305.18290) and Bradley-Terry rewards."""

squared = PairLoss(
    "squared",
    lambda m: (m - 0.5) ** 2,
    lambda m: 2 * (m - 0.5),
    lambda m: np.full_like(m, 2.0),
)
"""(margin - 1/2)^2: IPO (arXiv:2310.12036) with beta = tau, whose minimiser is ref * exp(P mu / tau)."""

truncated_square = PairLoss(
    "truncated_square",
    lambda m: np.maximum(0.5 - m, 0.0) ** 2,
    lambda m: -2 * np.maximum(0.5 - m, 0.0),
    lambda m: np.where(m < 0.5, 2.0, 0.0),
)
"""max(0, 1/2 - margin)^2: the squared loss without a penalty on margins above 1/2."""

exponential = PairLoss("exponential", lambda m: np.exp(-m), lambda m: -np.exp(-m), lambda m: np.exp(-m))
"""exp(-margin)."""


def hinge(width: float = 1e-3) -> PairLoss:
    """max(0, 1 - margin), the loss of SLiC (arXiv:2305.10425), with its corner smoothed over `width`.

    The smoothing, width * log(1 + exp((1 - margin) / width)), makes Newton steps possible; it moves the
    minimiser by O(width).
    """
    return PairLoss(
        f"hinge(width={width:g})",
        lambda m: width * np.logaddexp(0.0, (1 - m) / width),
        lambda m: -sigmoid((1 - m) / width),
        lambda m: sigmoid((1 - m) / width) * sigmoid((m - 1) / width) / width,
    )


RIDGE = 1e-10  # per unit of evidence; an undefeated response stays finite, an unseen one at 0


def minimise(loss: PairLoss, wins: Array, iterations: int = 200) -> Array:
    """argmin_d of sum_yz wins[y, z] * loss(d_y - d_z), float64[..., Y], by damped Newton steps.

    A ridge of 1e-10 per unit of evidence centres each connected set of responses. A response that was never
    compared gets 0; a response that was never beaten gets a large finite value.

    Parameters
    ----------
    wins : float64[..., Y, Y], at least 0; how often y beat z. The diagonal is ignored.
    """
    Y = wins.shape[-1]
    total = wins.sum(axis=(-1, -2), keepdims=True)
    weights = wins / np.where(total > 0, total, 1.0)
    weights = weights * (1 - np.eye(Y))
    d = np.zeros(wins.shape[:-1])

    def objective(d: Array) -> Array:
        margin = d[..., :, None] - d[..., None, :]
        return (weights * loss.value(margin)).sum(axis=(-1, -2)) + 0.5 * RIDGE * (d**2).sum(axis=-1)

    value = objective(d)
    moving = np.ones(d.shape[:-1], dtype=bool)  # each problem stops alone, so that runs stay independent
    for _ in range(iterations):
        margin = d[..., :, None] - d[..., None, :]
        pull = weights * loss.slope(margin)
        gradient = pull.sum(axis=-1) - pull.sum(axis=-2) + RIDGE * d
        stiffness = weights * loss.curvature(margin)
        stiffness = stiffness + np.swapaxes(stiffness, -1, -2)
        hessian = -stiffness
        diagonal = np.arange(Y)
        hessian[..., diagonal, diagonal] += stiffness.sum(axis=-1) + RIDGE
        step = np.linalg.solve(hessian, gradient[..., None])[..., 0]
        step *= np.minimum(1.0, 5.0 / np.maximum(np.abs(step).max(axis=-1, keepdims=True), 1e-300))
        decrease = (gradient * step).sum(axis=-1)
        scale = np.where(moving, 1.0, 0.0)
        for _ in range(40):
            trial = d - scale[..., None] * step
            worse = objective(trial) > value - 1e-4 * scale * decrease + 1e-15
            if not worse.any():
                break
            scale = np.where(worse, 0.5 * scale, scale)
        d = d - scale[..., None] * step
        value = objective(d)
        moving &= decrease >= 1e-22
        if not moving.any():
            break
    return d
