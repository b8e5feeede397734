"""A small zero-sum game in exact arithmetic: the simplex method on integers, right whatever the payoffs."""

from __future__ import annotations

from fractions import Fraction
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

LARGEST = 1600  # cells of a game that is solved in exact arithmetic, in at most about two seconds


class Exact(NamedTuple):
    """Both strategies float64[m] and float64[n] and the value, each rounded once from the exact number."""

    row: Array
    column: Array
    value: float


def solve_exactly(A: Array) -> Exact:
    """One equilibrium, an extreme one, of the zero-sum game with payoffs A float64[m, n], all finite.

    With B = A - min A + 1 > 0, the column is y / sum(y) for the y that maximises sum(y) where B y <= 1, the
    row is its dual, and the value is 1 / sum(y) + min A - 1. A power of 2 makes all entries whole, and each
    pivot divides by the pivot before, without a rest. Bland's rule ends it.
    """
    exact = [[Fraction(float(a)) for a in row] for row in A]
    unit = max(a.denominator for row in exact for a in row)  # a power of 2
    whole: NDArray[np.object_] = np.array([[int(a * unit) for a in row] for row in exact], dtype=object)
    low = whole.min()
    m, n = A.shape
    tableau: NDArray[np.object_] = np.zeros((m + 1, n + m + 1), dtype=object)
    tableau[:m, :n] = whole - low + unit
    tableau[range(m), range(n, n + m)] = 1
    tableau[:m, -1] = 1
    tableau[m, :n] = -1
    basis, before = list(range(n, n + m)), 1
    while (entering := next((j for j in range(n + m) if tableau[m, j] < 0), None)) is not None:
        rows = [i for i in range(m) if tableau[i, entering] > 0]
        leaving = min(
            rows, key=lambda i: (Fraction(int(tableau[i, -1]), int(tableau[i, entering])), basis[i])
        )
        pivot, line = tableau[leaving, entering], tableau[leaving].copy()
        tableau = (tableau * pivot - np.outer(tableau[:, entering], line)) // before
        tableau[leaving] = line
        basis[leaving], before = entering, pivot
    total = int(tableau[m, -1])
    column = np.zeros(n)
    for i, j in enumerate(basis):
        if j < n:
            column[j] = Fraction(tableau[i, -1], total)
    row = np.array([float(Fraction(int(w), total)) for w in tableau[m, n : n + m]])
    return Exact(row, column, float((Fraction(before, total) + low - unit) / unit))
