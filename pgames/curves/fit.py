"""Growth of a mean over rounds: log-log slopes and logarithmic fits. Every interval resamples the runs."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pgames.curves.summary import interval, resampled_means
from pgames.numerics import count

Array = NDArray[np.float64]
Counts = NDArray[np.int64]


class Slope(NamedTuple):
    """d ln(mean) / d ln(rounds) between two rounds, with its 95 % bootstrap interval."""

    slope: float
    low: float
    high: float
    first: int
    last: int

    def __repr__(self) -> str:
        return (
            f"slope {self.slope:.3f} [{self.low:.3f}, {self.high:.3f}] on rounds {self.first} to {self.last}"
        )


class LogFit(NamedTuple):
    """mean = a + b ln(rounds) from `first` to `last`; low and high are the 95 % interval of b."""

    a: float
    b: float
    low: float
    high: float
    r2: float
    first: int
    last: int

    def __repr__(self) -> str:
        return (
            f"{self.a:.4g} + b ln T, b = {self.b:.4g} [{self.low:.4g}, {self.high:.4g}], R^2 = {self.r2:.5f} "
            f"on rounds {self.first} to {self.last}"
        )


def late_slope(rounds: Counts, values: Array, seed: int) -> Slope:
    """The least-squares Slope of values float64[S, R] over the last decade of `rounds` int64[R].

    Raises ValueError when fewer than three rounds lie there, or a mean is 0.
    """
    late = (10 * rounds >= rounds[-1]) & (rounds >= 1)
    rounds, values = _at_least_three(rounds[late], values[:, late], "the last decade")
    x = np.log(rounds)
    slope = line(x, log_means(finite(values.mean(axis=0))))[1]
    low, high = interval(line(x, log_means(resampled_means(values, seed)))[1])
    return Slope(float(slope), float(low), float(high), int(rounds[0]), int(rounds[-1]))


def fit_log(rounds: Counts, values: Array, from_round: int, seed: int) -> LogFit:
    """The unweighted LogFit of values float64[S, R] at the `rounds` int64[R] from `from_round` on.

    Raises ValueError when fewer than three rounds lie there, or a value is NaN or infinite.
    """
    first = count("from_round", from_round, 0)
    late = rounds >= max(first, 1)
    rounds, values = _at_least_three(rounds[late], values[:, late], f"the part from round {first} on")
    if not np.isfinite(values).all():
        raise ValueError("a value is NaN or infinite somewhere, so there is no fit: fit another quantity.")
    x = np.log(rounds)
    a, b, r2 = line(x, values.mean(axis=0))
    low, high = interval(line(x, resampled_means(values, seed))[1])
    return LogFit(float(a), float(b), float(low), float(high), float(r2), int(rounds[0]), int(rounds[-1]))


def line(x: Array, y: Array) -> tuple[Array, Array, Array]:
    """Least squares of y float64[..., N] on x float64[N]: intercept, slope and R^2, each float64[...]."""
    centred = x - x.mean()
    middle = y.mean(axis=-1)
    slope = y @ centred / (centred @ centred)
    spread = np.asarray(((y - middle[..., None]) ** 2).sum(axis=-1))
    left = ((y - middle[..., None] - slope[..., None] * centred) ** 2).sum(axis=-1)
    r2 = 1 - np.divide(left, spread, out=np.zeros_like(spread), where=spread > 0)
    return middle - slope * x.mean(), slope, r2


def log_means(means: Array) -> Array:
    """ln(means) float64[...]. Raises ValueError when a mean is 0 or less."""
    if (means <= 0).any():
        raise ValueError("the mean regret is 0 somewhere, which has no logarithm: fit from a later round.")
    return np.log(means)


def finite(means: Array) -> Array:
    """The means float64[...]. Raises ValueError when one is NaN or infinite."""
    if not np.isfinite(means).all():
        raise ValueError("a mean is NaN or infinite somewhere, so there is no slope: fit another quantity.")
    return means


def _at_least_three(rounds: Counts, values: Array, where: str) -> tuple[Counts, Array]:
    if len(rounds) < 3:
        raise ValueError(
            f"a fit needs three recorded rounds, {where} has {len(rounds)}: simulate or record more rounds."
        )
    return rounds, values
