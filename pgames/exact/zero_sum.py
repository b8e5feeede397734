"""The equilibrium of a zero-sum game of two players with their own strategies."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pgames.exact.one_game import solve
from pgames.numerics import real

Array = NDArray[np.float64]


class ZeroSumEquilibrium(NamedTuple):
    """Both strategies, the value row A column, and their exploitability.

    row, column : float64[m] and float64[n], probabilities.
    exploitability : max_i (A column)_i - min_j (row A)_j, in units of A: 0 at an equilibrium.
    """

    row: Array
    column: Array
    value: float
    exploitability: float


def nash_zero_sum(A: ArrayLike) -> ZeroSumEquilibrium:
    """The equilibrium of the zero-sum game in which the row player gets A[i, j], float64[m, n] of any scale.

    It is solved as the symmetric game of size m + n + 1 of Gale, Kuhn and Tucker; among several equilibria
    the centre is returned. Raises ValueError unless A is a finite matrix, and RuntimeError when the gap
    exceeds 1e-9 of the payoff range, never seen.
    """
    payoff = real("A", A).copy()
    if payoff.ndim != 2 or 0 in payoff.shape:
        raise ValueError(f"A must have shape [m, n], got {payoff.shape}.")
    if not np.isfinite(payoff).all():
        i, j = np.argwhere(~np.isfinite(payoff))[0]
        raise ValueError(f"A must be finite, got A[{i}, {j}] = {payoff[i, j]}.")
    m, n = payoff.shape
    low, high = payoff.min(), payoff.max()
    spread = (high / 2 - low / 2) * 2 or 1.0
    embedded = np.zeros((m + n + 1, m + n + 1))
    embedded[:m, m:-1] = (payoff - low) / spread + 1
    embedded[:m, -1] = -1
    embedded[m:-1, -1] = 1
    embedded -= embedded.T
    z = solve(embedded, np.full(m + n + 1, 1 / (m + n + 1)), 0.0, "centre")[0]
    row, column = z[:m] / z[:m].sum(), z[m:-1] / z[m:-1].sum()
    gap = float((payoff @ column).max() - (row @ payoff).min())
    rounding = np.finfo(np.float64).eps * (m + n) * max(abs(low), abs(high))  # of the sums in the gap
    if not gap <= 1e-9 * spread + rounding:
        raise RuntimeError(
            f"no equilibrium to 1e-9 of the payoff range: the best pair leaves a gap of {gap:.3g}."
        )
    return ZeroSumEquilibrium(row, column, float(row @ payoff @ column), gap)
