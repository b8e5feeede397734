"""Growth of regret as tau falls: exponential in 1/tau, or a power of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from pgames.curves import Curve
from pgames.curves.fit import finite, line, log_means
from pgames.curves.summary import interval, resampled_means
from pgames.numerics import check_whole, count, number


class Estimate(NamedTuple):
    """A fitted coefficient with its 95 % bootstrap interval (NaN for one seed) and the R^2 of the fit."""

    value: float
    low: float
    high: float
    r2: float

    def __repr__(self) -> str:
        return f"{self.value:.3g} [{self.low:.3g}, {self.high:.3g}], R^2 = {self.r2:.4f}"


class Growth(NamedTuple):
    """Mean regret after `rounds` rounds against 1/tau: c exp(exponential / tau), and c (1/tau)^power."""

    exponential: Estimate
    power: Estimate
    rounds: int

    def __repr__(self) -> str:
        return f"Reg({self.rounds}): exp(k / tau), k = {self.exponential}; (1/tau)^p, p = {self.power}"


def growth(curves: Mapping[float, Curve], rounds: int | None = None, seed: int = 0) -> Growth:
    """Fit the mean regret of curves (by tau) against 1/tau, as an exponential and as a power.

    The regret is taken after `rounds` rounds, by default the last round that all curves reached. Raises
    ValueError when there are fewer than three values of tau, one is not above 0, or a mean regret is 0, and
    TypeError for anything but curves by tau.
    """
    if not isinstance(curves, Mapping) or not all(isinstance(curve, Curve) for curve in curves.values()):
        raise TypeError(
            f"growth needs a dict of tau -> Curve, got {type(curves).__name__}: pass sweep.curves('tau')."
        )
    if len(curves) < 3:
        raise ValueError(f"growth needs curves of three values of tau or more, got {len(curves)}.")
    if odd := [tau for tau in curves if not 0 < number(tau) < np.inf]:
        raise ValueError(f"growth needs tau above 0, got {odd[0]!r:.60}.")
    check_whole("seed", seed, 0)
    reached = min(int(curve.rounds[-1]) for curve in curves.values())
    last = reached if rounds is None else count("rounds", rounds, 1)
    values = [curve.only("regret").interpolate(np.array([last])) for curve in curves.values()]
    means = log_means(finite(np.array([value.mean() for value in values])))
    again = log_means(np.hstack([resampled_means(value, seed + i) for i, value in enumerate(values)]))
    inverse = 1 / np.array(list(curves))
    fits = []
    for x in (inverse, np.log(inverse)):
        _, k, r2 = line(x, means)
        low, high = interval(line(x, again)[1])
        fits.append(Estimate(float(k), float(low), float(high), float(r2)))
    return Growth(fits[0], fits[1], last)
