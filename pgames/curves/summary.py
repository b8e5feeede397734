"""Statistics over runs: means with bootstrap intervals, medians and quantiles.

Means of regret are often heavy-tailed: a few unlucky runs hold most of the sum, and the bootstrap interval is
too narrow. Read the median beside the mean, and take 200 runs or more.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pgames.frames import Kind, frame
from pgames.numerics import check_whole

Array = NDArray[np.float64]
Counts = NDArray[np.int64]
LEVEL = 0.95  # of every interval
RESAMPLES = 1000
SHOWN = 12  # rows of a printed summary


class Summary(NamedTuple):
    """A quantity over runs at `rounds` int64[N], after `bits` verdicts: float64[N] each.

    low and high are the 95 % bootstrap interval of the mean (NaN for one run), q10 and q90 are quantiles over
    runs. `bits` is int64[N], or None where no verdicts are counted.
    """

    rounds: Counts
    bits: Counts | None
    mean: Array
    low: Array
    high: Array
    q10: Array
    median: Array
    q90: Array

    @property
    def tail(self) -> float:
        """mean / median in the last row; far above 1 where a few runs hold most of the total."""
        mean, median = float(self.mean[-1]), float(self.median[-1])
        return mean / median if median > 0 else np.inf if mean > 0 else 1.0

    def to_frame(self, kind: Kind | None = None) -> Any:
        """A data frame with a row for each round, of pandas or polars as installed.

        Raises ValueError for another kind, and ModuleNotFoundError when narwhals or the library is missing.
        """
        return frame({name: column for name, column in self._asdict().items() if column is not None}, kind)

    def __repr__(self) -> str:
        names = [f"{name:>10}" for name in self._fields]
        shown = np.unique(np.linspace(0, len(self.rounds) - 1, SHOWN).round().astype(int))
        rows = []
        for i in shown:
            bits = "-" if self.bits is None else int(self.bits[i])
            statistics = [f"{column[i]:>10.4g}" for column in self[2:]]
            rows.append([f"{int(self.rounds[i]):>10}", f"{bits:>10}", *statistics])
        return "\n".join("".join(row) for row in [names, *rows])


def summarise(rounds: Counts, bits: Counts | None, values: Array, seed: int) -> Summary:
    """The Summary of values float64[S, N] at `rounds` int64[N]; `seed` draws the bootstrap."""
    values = values.astype(np.float64, copy=False)
    with np.errstate(invalid="ignore"):  # infinite values
        low, high = interval(resampled_means(values, seed))
        q10, median, q90 = np.quantile(values, (0.1, 0.5, 0.9), axis=0)
    return Summary(rounds, bits, values.mean(axis=0), low, high, q10, median, q90)


def resampled_means(values: Array, seed: int) -> Array:
    """Bootstrap means float64[RESAMPLES, N] of values float64[S, N] over runs; NaN where S = 1."""
    check_whole("seed", seed, 0)
    S = len(values)
    means = np.full((RESAMPLES, values.shape[1]), np.nan)
    rng = np.random.default_rng(seed)
    for k in range(RESAMPLES if S > 1 else 0):
        means[k] = np.bincount(rng.integers(S, size=S), minlength=S) / S @ values
    return means


def interval(samples: Array) -> tuple[Array, Array]:
    """The ends float64[...] of the central 95 % of samples float64[RESAMPLES, ...]."""
    low, high = np.quantile(samples, ((1 - LEVEL) / 2, (1 + LEVEL) / 2), axis=0)
    return low, high
