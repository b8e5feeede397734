"""LU factorisations in place: by LAPACK, and as compiled loops for small games, where a call costs more.

A game of 10,000 responses is 800 MB, so no step may copy it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pgames.extras import need
from pgames.kernels.blocks import njit
from pgames.numerics import number

Array = NDArray[np.float64]


def check_threads(threads: int | None) -> None:
    """Raises ValueError unless `threads` is None or a whole number of at least 1."""
    given = number(threads)
    if threads is not None and (isinstance(threads, bool) or not (given >= 1 and given.is_integer())):
        raise ValueError(f"threads must be a whole number of at least 1, or None, got {threads!r:.60}.")


@contextmanager
def limited(threads: int | None) -> Iterator[None]:
    """Inside the block linear algebra runs on so many threads; None leaves them as they are.

    Raises ValueError unless `threads` is a whole number of at least 1, and ModuleNotFoundError without the
    package threadpoolctl.
    """
    if threads is None:
        yield
        return
    check_threads(threads)
    import scipy.linalg.lapack  # noqa: F401  (its library must be loaded to be limited)

    with need("threadpoolctl", "threads").threadpool_limits(int(threads), "blas"):
        yield


class LU(NamedTuple):
    """L, U and the row exchanges of a matrix: factors float64[n, n], pivots int32[n]."""

    factors: Array
    pivots: NDArray[np.int32]

    def solve(self, right: Array) -> Array:
        """The solution for float64[n] or float64[n, k]."""
        from scipy.linalg import lapack

        return lapack.dgetrs(self.factors, self.pivots, right)[0]  # pyright: ignore[reportAttributeAccessIssue]

    def reciprocal_condition(self, norm: float) -> float:
        """An estimate of 1 / (norm * |inverse|) in the 1-norm; `norm` is the 1-norm of the matrix."""
        from scipy.linalg import lapack

        return lapack.dgecon(self.factors, norm)[0]  # pyright: ignore[reportAttributeAccessIssue]


def factor_transposed(rows: Array) -> LU:
    """The LU of rows.T, in the memory of rows float64[n, n] (C order, destroyed): LAPACK reads columns."""
    from scipy.linalg import lapack

    return LU(*lapack.dgetrf(rows.T, overwrite_a=True)[:2])  # pyright: ignore[reportAttributeAccessIssue]


def factor_resolvent(A: Array, d: Array, buffer: Array | None = None) -> LU:
    """The LU of I - diag(d) A diag(d) for antisymmetric A; `buffer` float64[n, n] is overwritten."""
    transposed = np.multiply(A, d[:, None], out=buffer)  # as K' = -K, the transpose of I - K is I + K
    transposed *= d
    transposed.ravel()[:: len(d) + 1] = 1
    return factor_transposed(transposed)


@njit
def factor_small(M, n, pivots):
    """LU in place with row exchanges; returns the ratio of the smallest to the largest pivot.

    Four columns are eliminated at a time, which at n = 100 is as fast as LAPACK.
    """
    low, high = math.inf, 0.0
    for start in range(0, n, 4):
        stop = min(start + 4, n)
        for j in range(start, stop):
            p = j
            for i in range(j + 1, n):
                if abs(M[i, j]) > abs(M[p, j]):
                    p = i
            pivots[j] = p
            pivot = M[p, j]
            low, high = min(low, abs(pivot)), max(high, abs(pivot))
            if pivot == 0:
                return 0.0
            if p != j:
                for c in range(n):
                    M[j, c], M[p, c] = M[p, c], M[j, c]
            for i in range(j + 1, n):
                factor = M[i, j] / pivot
                M[i, j] = factor
                for c in range(j + 1, stop):
                    M[i, c] -= factor * M[j, c]
        if stop == n:
            break
        for j in range(start + 1, stop):
            for i in range(start, j):
                factor = M[j, i]
                for c in range(stop, n):
                    M[j, c] -= factor * M[i, c]
        first, second, third, fourth = (
            M[start, stop:n],
            M[start + 1, stop:n],
            M[start + 2, stop:n],
            M[start + 3, stop:n],
        )
        for i in range(stop, n):
            row = M[i, stop:n]
            a, b, c, d = M[i, start], M[i, start + 1], M[i, start + 2], M[i, start + 3]
            for k in range(row.size):
                row[k] -= a * first[k] + b * second[k] + c * third[k] + d * fourth[k]
    return low / high


@njit
def substitute_small(M, n, pivots, b):
    """Solve with the transpose of the matrix that was factored, so that every loop runs along a row."""
    for i in range(n):
        b[i] /= M[i, i]
        factor, tail, row = b[i], b[i + 1 : n], M[i, i + 1 : n]
        for c in range(row.size):
            tail[c] -= row[c] * factor
    for i in range(n - 1, 0, -1):
        factor, row = b[i], M[i, :i]
        for c in range(row.size):
            b[c] -= row[c] * factor
    for i in range(n - 1, -1, -1):
        p = pivots[i]
        if p != i:
            b[i], b[p] = b[p], b[i]
