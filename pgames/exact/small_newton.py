"""Newton's method for the regularised equilibrium of a small game: `newton.py` as compiled loops.

`pgames.nash` starts it at the end of an interior-point path, and a belief at the equilibrium of the previous
round. The first n entries of every array are in use.
"""

from __future__ import annotations

import math

from pgames.exact.linear import factor_small, substitute_small
from pgames.kernels.elementary import njit
from pgames.kernels.rows import normalise

NEWTON_ROWS = 4  # of scratch that `newton` works in


@njit
def newton(A, n, tau, log_reference, log_x, tolerance, patience, work, matrix, pivots):
    """Improve log_x float64[n] in place; returns (||x - softmax(log_reference + A x / tau)||_1, steps).

    A float64[n, n] is antisymmetric, tau > 0 and log_reference finite. The iteration ends at a residual of at
    most `tolerance`, or after `patience` steps that did not halve it; log_x is then the best one found.

    Scratch: work float64[NEWTON_ROWS, n], matrix float64[n, n], pivots int64[n].
    """
    x, best = work[0], work[1]  # best is the log_x of the smallest residual
    error = work[2]  # log softmax(log_reference + A x / tau) - log_x
    flow = work[3]  # sqrt(x), then the solution for it: the change of x / sqrt(x) per unit of constant error
    best_residual, stalled, steps = math.inf, 0, 0
    while True:
        answer(A, n, tau, log_reference, log_x, x, error)
        residual = 0.0
        for i in range(n):
            residual += abs(x[i] - math.exp(error[i]))
            error[i] -= log_x[i]
        stalled = 0 if residual < 0.5 * best_residual else stalled + 1
        if residual < best_residual:
            best_residual = residual
            for i in range(n):
                best[i] = log_x[i]
        if residual <= tolerance or stalled == patience:
            for i in range(n):
                log_x[i] = best[i]
            return best_residual, steps
        steps += 1
        for i in range(n):
            flow[i] = math.sqrt(x[i])
        for i in range(n):
            for j in range(n):
                matrix[i, j] = flow[i] * A[i, j] * flow[j] / tau  # the transpose of I - K / tau
            matrix[i, i] = 1.0
        factor_small(matrix, n, pivots)
        for i in range(n):
            log_x[i] += error[i]
            error[i] *= flow[i]
        substitute_small(matrix, n, pivots, flow)
        substitute_small(matrix, n, pivots, error)
        mass, drift = 0.0, 0.0
        for i in range(n):
            mass += math.sqrt(x[i]) * flow[i]
            drift += math.sqrt(x[i]) * error[i]
        for j in range(n):
            dx = math.sqrt(x[j]) * (error[j] - drift / mass * flow[j])  # sums to 0
            for i in range(n):
                log_x[i] -= A[j, i] * dx / tau
        normalise(log_x, n)


@njit
def answer(A, n, tau, log_reference, log_x, x, out):
    """x = exp(log_x) and out = log softmax(log_reference + A x / tau), both float64[n]."""
    for i in range(n):
        x[i] = math.exp(log_x[i])
        out[i] = 0.0
    for j in range(n):
        for i in range(n):
            out[i] -= A[j, i] * x[j]  # by rows, as A' = -A
    for i in range(n):
        out[i] = log_reference[i] + out[i] / tau
    normalise(out, n)
