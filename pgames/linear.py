"""LU factorisations in place: by LAPACK, and as compiled loops for games too small to be worth a call.

A game of 10,000 responses is 800 MB, so no step may copy it.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pgames.kernels import njit

Vector = NDArray[np.float64]


class LU(NamedTuple):
    """L, U and the row exchanges of a matrix."""

    factors: Vector
    pivots: NDArray[np.int32]

    def solve(self, right: Vector) -> Vector:
        """The solution for float64[n] or float64[n, k]."""
        from scipy.linalg import lapack

        return lapack.dgetrs(self.factors, self.pivots, right)[0]  # pyright: ignore[reportAttributeAccessIssue]

    def reciprocal_condition(self, norm: float) -> float:
        """An estimate of 1 / (norm * |inverse|) in the 1-norm, whose value for the matrix is `norm`."""
        from scipy.linalg import lapack

        return lapack.dgecon(self.factors, norm)[0]  # pyright: ignore[reportAttributeAccessIssue]


def factor_transposed(rows: Vector) -> LU:
    """The LU of rows.T, in the memory of `rows` (C order, destroyed): LAPACK reads by columns."""
    from scipy.linalg import lapack

    return LU(*lapack.dgetrf(rows.T, overwrite_a=True)[:2])  # pyright: ignore[reportAttributeAccessIssue]


def factor_resolvent(A: Vector, d: Vector, buffer: Vector | None = None) -> LU:
    """The LU of I - diag(d) A diag(d) for antisymmetric A; `buffer` float64[n, n] is overwritten."""
    transposed = np.multiply(A, d[:, None], out=buffer)  # as K' = -K, the transpose of I - K is I + K
    transposed *= d
    transposed.ravel()[:: len(d) + 1] = 1
    return factor_transposed(transposed)


@njit
def factor_small(M, n, pivots):
    """LU in place with row exchanges; returns the ratio of the smallest to the largest pivot."""
    low, high = 1e300, 0.0
    for j in range(n):
        p = j
        for i in range(j + 1, n):
            if abs(M[i, j]) > abs(M[p, j]):
                p = i
        pivots[j] = p
        pivot = M[p, j]
        low = min(low, abs(pivot))
        high = max(high, abs(pivot))
        if pivot == 0:
            return 0.0
        if p != j:
            for c in range(n):
                M[j, c], M[p, c] = M[p, c], M[j, c]
        for i in range(j + 1, n):
            factor = M[i, j] / pivot
            M[i, j] = factor
            for c in range(j + 1, n):
                M[i, c] -= factor * M[j, c]
    return low / high


@njit
def substitute_small(M, n, pivots, b):
    """Solve with the transpose of the matrix that was factored, so that every loop runs along a row."""
    for i in range(n):
        b[i] /= M[i, i]
        for c in range(i + 1, n):
            b[c] -= M[i, c] * b[i]
    for i in range(n - 1, 0, -1):
        for c in range(i):
            b[c] -= M[i, c] * b[i]
    for i in range(n - 1, -1, -1):
        p = pivots[i]
        if p != i:
            b[i], b[p] = b[p], b[i]


@njit
def _subtract(row, factor, other):
    for c in range(row.size):
        row[c] -= factor * other[c]
