"""What can be read off regret over seeds: bands, slopes and fits. Every interval resamples the seeds.

Means of regret are often heavy-tailed (a few unlucky seeds hold most of it), and then the bootstrap is too
narrow as well: look at the median beside the mean, and take 200 seeds or more.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from pgames.regret.curve import RegretCurve

Array = NDArray[np.float64]
LEVEL = 0.95  # of every interval
RESAMPLES = 1000
SHOWN = 12  # rows of a printed summary


class Summary(NamedTuple):
    """Regret over seeds at `rounds` int64[N], after `bits` judgements: float64[N] each.

    low and high are the 95 % bootstrap interval of the mean (NaN for one seed), q10 and q90 quantiles of the
    seeds.
    """

    rounds: NDArray[np.int64]
    bits: NDArray[np.int64]
    mean: Array
    low: Array
    high: Array
    q10: Array
    median: Array
    q90: Array

    @property
    def tail(self) -> float:
        """mean / median at the end; far above 1 where a few seeds hold most of the regret."""
        mean, median = float(self.mean[-1]), float(self.median[-1])
        return mean / median if median > 0 else np.inf if mean > 0 else 1.0

    def __repr__(self) -> str:
        names = [f"{name:>10}" for name in self._fields]
        shown = np.unique(np.linspace(0, len(self.rounds) - 1, SHOWN).round().astype(int))
        rows = [[f"{int(self.rounds[i]):>10}", f"{int(self.bits[i]):>10}"] for i in shown]
        for row, i in zip(rows, shown, strict=True):
            row += [f"{column[i]:>10.4g}" for column in self[2:]]
        return "\n".join("".join(row) for row in [names, *rows])


class Estimate(NamedTuple):
    """A fitted coefficient with its 95 % bootstrap interval (NaN for one seed) and the R^2 of the fit."""

    value: float
    low: float
    high: float
    r2: float

    def __repr__(self) -> str:
        return f"{self.value:.3g} [{self.low:.3g}, {self.high:.3g}], R^2 = {self.r2:.4f}"


class Slope(NamedTuple):
    """d ln(mean regret) / d ln(rounds) between two rounds, with its 95 % bootstrap interval."""

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
    """mean regret = a + b ln(rounds) from `first` to `last`; low and high are the 95 % interval of b."""

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


class Growth(NamedTuple):
    """Mean regret after `rounds` rounds against 1/tau: c exp(exponential / tau), and c (1/tau)^power."""

    exponential: Estimate
    power: Estimate
    rounds: int

    def __repr__(self) -> str:
        return f"Reg({self.rounds}): exp(k / tau), k = {self.exponential}; (1/tau)^p, p = {self.power}"


def summary(rounds: NDArray[np.int64], bits: NDArray[np.int64], regret: Array, seed: int) -> Summary:
    """The Summary of regret float64[S, N]."""
    low, high = interval(resampled_means(regret, seed))
    q10, median, q90 = np.quantile(regret, (0.1, 0.5, 0.9), axis=0)
    return Summary(rounds, bits, regret.mean(axis=0), low, high, q10, median, q90)


def late_slope(rounds: NDArray[np.int64], regret: Array, seed: int) -> Slope:
    """The Slope over the last decade of rounds, by least squares on the recorded rounds."""
    late = 10 * rounds >= rounds[-1]
    rounds, regret = _some(rounds[late], regret[:, late], "the last decade")
    x = np.log(rounds)
    slope = line(x, _log(regret.mean(axis=0)))[1]
    low, high = interval(line(x, _log(resampled_means(regret, seed)))[1])
    return Slope(float(slope), float(low), float(high), int(rounds[0]), int(rounds[-1]))


def fit_log(rounds: NDArray[np.int64], regret: Array, from_round: int, seed: int) -> LogFit:
    """The LogFit on the recorded rounds at and after `from_round`, unweighted."""
    late = rounds >= from_round
    rounds, regret = _some(rounds[late], regret[:, late], f"the part from round {from_round} on")
    x = np.log(rounds)
    a, b, r2 = line(x, regret.mean(axis=0))
    low, high = interval(line(x, resampled_means(regret, seed))[1])
    return LogFit(float(a), float(b), float(low), float(high), float(r2), int(rounds[0]), int(rounds[-1]))


def growth(curves: Mapping[float, RegretCurve], rounds: int | None = None, seed: int = 0) -> Growth:
    """Fit the mean regret of curves, by their tau, against 1/tau: exponentially and as a power.

    Compared after `rounds` rounds, by default the last that all curves reached. Three values of tau or more.
    """
    if len(curves) < 3:
        raise ValueError(f"growth needs curves of three values of tau or more, got {len(curves)}.")
    if min(curves) <= 0:
        raise ValueError(f"growth needs tau above 0, got {min(curves)}.")
    last = min(int(curve.rounds[-1]) for curve in curves.values()) if rounds is None else rounds
    values = [curve.regret_at(np.array([last])) for curve in curves.values()]
    means = _log(np.array([value.mean() for value in values]))
    again = _log(np.hstack([resampled_means(value, seed + i) for i, value in enumerate(values)]))
    inverse = 1 / np.array(list(curves))
    fits = []
    for x in (inverse, np.log(inverse)):
        _, k, r2 = line(x, means)
        low, high = interval(line(x, again)[1])
        fits.append(Estimate(float(k), float(low), float(high), float(r2)))
    return Growth(fits[0], fits[1], last)


def resampled_means(regret: Array, seed: int) -> Array:
    """Means over seeds drawn again with replacement, float64[RESAMPLES, N]; NaN where there is one seed."""
    S = len(regret)
    means = np.full((RESAMPLES, regret.shape[1]), np.nan)
    rng = np.random.default_rng(seed)
    for k in range(RESAMPLES if S > 1 else 0):
        means[k] = np.bincount(rng.integers(S, size=S), minlength=S) / S @ regret
    return means


def interval(samples: Array) -> tuple[Array, Array]:
    """The central 95 % of float64[RESAMPLES, ...]."""
    low, high = np.quantile(samples, ((1 - LEVEL) / 2, (1 + LEVEL) / 2), axis=0)
    return low, high


def line(x: Array, y: Array) -> tuple[Array, Array, Array]:
    """Least squares of y float64[..., N] on x float64[N]: intercept, slope, R^2, each float64[...]."""
    centred = x - x.mean()
    middle = y.mean(axis=-1)
    slope = y @ centred / (centred @ centred)
    spread = np.asarray(((y - middle[..., None]) ** 2).sum(axis=-1))
    left = ((y - middle[..., None] - slope[..., None] * centred) ** 2).sum(axis=-1)
    r2 = 1 - np.divide(left, spread, out=np.zeros_like(spread), where=spread > 0)
    return middle - slope * x.mean(), slope, r2


def _some(rounds: NDArray[np.int64], regret: Array, where: str) -> tuple[NDArray[np.int64], Array]:
    if len(rounds) < 3:
        raise ValueError(
            f"a fit needs three recorded rounds, {where} has {len(rounds)}: simulate or record more rounds."
        )
    return rounds, regret


def _log(means: Array) -> Array:
    if (means <= 0).any():
        raise ValueError("the mean regret is 0 somewhere, so it has no logarithm: fit from a later round.")
    return np.log(means)
