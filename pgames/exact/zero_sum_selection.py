"""The most even equilibrium of a zero-sum game of two players, where there are several."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pgames.exact.optimal_face import Face, closest
from pgames.exact.zero_sum import ZeroSumEquilibrium

Array = NDArray[np.float64]

WORSE = 1e-12  # of the payoff range: the largest gap that the choice among equilibria may add


def most_even(A: Array, found: ZeroSumEquilibrium) -> ZeroSumEquilibrium:
    """The equilibrium whose two strategies have the largest entropy, for payoffs float64[m, n] at tau = 0.

    The equilibria are all pairs of an optimal row and an optimal column, so each is chosen alone. `found`
    is the centre of both sets, inside them. Where rounding hides a set, its centre is returned.
    """
    row = _spread(A, found.row, found.column, found.value)
    column = _spread(-A.T, found.column, found.row, -found.value)
    gap = float((A @ column).max() - (row @ A).min())
    if not gap <= found.exploitability + WORSE * (float(np.ptp(A)) or 1.0):
        return found
    return ZeroSumEquilibrium(row, column, float(row @ A @ column), max(gap, 0.0))


def _spread(A: Array, row: Array, column: Array, value: float) -> Array:
    """The optimal row float64[m] of largest entropy, from one inside the set of optimal rows.

    A strategy is played where its probability exceeds what it loses against the other player; a row stays
    optimal while all played columns are worth the value, and the others no less.
    """
    played, met = row > value - A @ column, column > row @ A - value
    inner = row[played] / row[played].sum()
    equations = np.vstack([A[np.ix_(played, met)].T - value, np.ones(len(inner))])
    _, values, right = np.linalg.svd(equations, full_matrices=True)
    noise = 8 * max(equations.shape) * np.finfo(np.float64).eps * max(values[0], float(np.abs(A).max()))
    free = right[np.count_nonzero(values > noise) :].T
    face = Face(inner, free, (value - A[np.ix_(played, ~met)]).T)
    if not free.shape[1] or (face.losing @ inner).max(initial=-1.0) >= 0:
        return row
    out = np.zeros(len(row))
    out[played] = np.maximum(closest(face, np.ones(len(inner))), 0.0)
    return out / out.sum()
