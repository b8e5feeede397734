"""Where the interior-point path starts: at the average of predictive regret matching+ (arXiv:2007.14358).

A round of regret matching reads the table once, where a step of the path factors it. 200 rounds cost about as
much as one factorisation of 1000 responses, and save a third to a half of the path's steps. They stop playing
the responses that lose. Where few are left, their game is solved, and there is no path.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Among = Callable[[NDArray[np.bool_]], Array | None]  # the unique equilibrium, if it plays these alone

SMALLEST = 400  # responses from which the rounds are cheaper than the steps that they save
ROUNDS = 200
LOOK = 50  # rounds from one look at the gap to the next
ENOUGH = 1e-6  # a gap at which the rounds end
FEW = 8  # a game of one in so many responses costs less than a step of the path
MARGIN = 1.0  # of the gap, the least slack


class Averaged(NamedTuple):
    """The average of the rounds, float64[n], and whether it is the equilibrium itself."""

    x: Array
    exact: bool


def averaged(A: Array, enough: float, buffer: Array, among: Among) -> Averaged:
    """The average of ROUNDS rounds of PRM+, weighted by t^2, on A float64[n, n] = -A'.

    It ends early at a gap, max A x, of `enough`, and where `among` finds the equilibrium among the few
    responses that are still played. The rounds are played in single precision, in the memory of buffer
    float64[n, n].
    """
    n = len(A)
    table: NDArray[np.float32] = buffer.ravel().view(np.float32)[: n * n].reshape(n, n)
    np.copyto(table, A, casting="same_kind")
    sums, last, total = (np.zeros(n, dtype=np.float32) for _ in range(3))
    x, mean = np.full(n, 1 / n, dtype=np.float32), np.full(n, 1 / n)
    played, tried = np.zeros(n, dtype=bool), np.zeros(n, dtype=bool)  # since the last look, and there
    for t in range(1, ROUNDS + 1):
        x = np.maximum(sums + last, 0)
        size = x.sum()
        x = x / size if size > 0 else np.full(n, 1 / n, dtype=np.float32)
        last = table @ x
        sums = np.maximum(sums + last, 0)
        total += np.float32(t) ** 2 * x
        played |= x > 0
        if t % LOOK == 0:
            if np.count_nonzero(played) <= n // FEW and (played != tried).any():
                if (found := among(played)) is not None:
                    return Averaged(found, True)
                tried = played
            played = np.zeros(n, dtype=bool)
            mean = total.astype(np.float64)
            mean /= mean.sum()
            if float((table @ mean.astype(np.float32)).max()) <= enough:
                break
    return Averaged(np.asarray(mean, dtype=np.float64), False)


def inside(A: Array, x: Array) -> tuple[Array, float]:
    """(x float64[n], v): a point near the central path: s = v - A x > 0, products x s not far apart."""
    payoff = A @ x
    gap = max(float(payoff.max()), 1e-12)
    x = np.maximum(x, gap / len(x) / (gap * (1 + MARGIN) - payoff))
    x /= x.sum()
    best = float((A @ x).max())
    return x, best + MARGIN * max(best, gap)
