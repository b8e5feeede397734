"""LU factorisations by LAPACK, in place: a game of 10,000 responses is 800 MB, and no step may copy it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

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
