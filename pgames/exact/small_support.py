"""The equilibrium with a known support, of a small game: `interior_point.solve_support` as compiled loops."""

from __future__ import annotations

import numpy as np

from pgames.exact.linear import factor_small, substitute_small
from pgames.kernels.elementary import njit


@njit
def solve_support(A, n, played, rounding, x, right):
    """Whether the game's only equilibrium plays exactly `played` bool[n], which is then left in x float64[n].

    A float64[n, n] is antisymmetric with entries that err by `rounding`; `right` float64[n + 1] is scratch.
    """
    k = 0
    for i in range(n):
        k += played[i]
    if k % 2 == 0:  # the kernel of an antisymmetric matrix has the parity of its size
        return False
    equations = np.empty((k + 1, k + 1))  # the transpose of A_BB x = 0, sum(x) = 1
    pivots = np.empty(k + 1, np.int64)
    a = 0
    for i in range(n):
        if played[i]:
            b = 0
            for j in range(n):
                if played[j]:
                    equations[a, b] = -A[i, j]
                    b += 1
            a += 1
    for a in range(k):
        equations[a, k] = equations[k, a] = 1.0
        right[a] = 0.0
    equations[k, k] = 0.0
    right[k] = 1.0
    margin = 100 * k * rounding
    if factor_small(equations, k + 1, pivots) < margin:
        return False
    for i in range(n):
        x[i] = 0.0
    for _ in range(2):  # the second pass is one step of iterative refinement
        substitute_small(equations, k + 1, pivots, right)
        a = 0
        for i in range(n):
            if played[i]:
                x[i] += right[a]
                if not x[i] > margin:
                    return False
                a += 1
        a = 0
        right[k] = 1.0
        for i in range(n):
            right[k] -= x[i]
            if played[i]:
                right[a] = 0.0
                for j in range(n):
                    right[a] -= A[i, j] * x[j]
                a += 1
    total = 0.0
    for i in range(n):
        total += x[i]
    for i in range(n):
        x[i] /= total
    for i in range(n):
        if not played[i]:
            payoff = 0.0
            for j in range(n):
                payoff += A[i, j] * x[j]
            if payoff >= -margin:
                return False
    return True
