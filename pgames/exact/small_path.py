"""The interior-point path of a small game: `interior_point.follow_path` as compiled loops.

The names and the order of the steps are those of that module; the first n entries of every array are in use.
"""

from __future__ import annotations

import math

from pgames.exact.interior_point import CENTRAL, CLOSED, HANDOVER, MAX_STEPS, WARM
from pgames.exact.linear import factor_small, substitute_small
from pgames.exact.newton import EXACT, FOUND, PATIENCE, STALLED
from pgames.exact.small_newton import NEWTON_ROWS, newton
from pgames.exact.small_support import solve_support
from pgames.kernels.elementary import njit

SHORTEST = 1e-30  # no step is shortened further, whatever the numbers
CORRECTIONS = 2  # relative to an LU, a solve costs more than in a large game
PATH_ROWS = 9 + NEWTON_ROWS  # of scratch that `follow` works in


@njit
def follow(A, n, tau, log_reference, rounding, x, log_x, played, work, matrix, pivots):
    """Solve one game into x float64[n], log_x float64[n] (at tau > 0) and played bool[n]: (exact, steps).

    A float64[n, n] is antisymmetric with largest entry 1 (or 0) and entries that err by `rounding`; tau >= 0.

    Scratch: work float64[PATH_ROWS, n + 1], matrix float64[n, n], pivots int64[n].
    """
    s, drift = work[0], work[1]  # drift: the deviation of s from its definition
    dx, ds, next_dx, next_ds = work[2], work[3], work[4], work[5]  # the step, and a corrected one
    change = work[6]  # r, by which a step changes the products x s
    d, flow = work[7], work[8]  # sqrt(x / (s + tau)), and the change of x per unit of -dv
    for i in range(n):
        x[i] = 1 / n
        played[i] = True
    lowest = gradient(A, n, tau, log_reference, x, drift)
    v = 1e-3 - 2 * min(0.0, lowest)
    for i in range(n):
        s[i] = v + drift[i]
    handover = math.inf if tau >= WARM else HANDOVER * tau
    steps = 0
    while True:
        gap = 0.0
        for i in range(n):
            gap += x[i] * s[i]
            drift[i] += v - s[i]  # drift held the gradient of the new x
        last = gap < CLOSED or steps >= MAX_STEPS
        if tau > 0 and (gap < handover or last):
            for i in range(n):
                log_x[i] = math.log(x[i]) if steps else log_reference[i]
            patience = PATIENCE if last else STALLED
            residual, more = newton(
                A, n, tau, log_reference, log_x, EXACT, patience, work[9:], matrix, pivots
            )
            steps += more
            if residual < FOUND or last:
                for i in range(n):
                    x[i] = math.exp(log_x[i])
                return True, steps
            handover = min(handover, tau) / 100
        if last:
            return False, steps

        # predictor: the step to x s = 0
        steps += 1
        for i in range(n):
            d[i] = math.sqrt(x[i] / (s[i] + tau))
            flow[i] = d[i]
        for i in range(n):
            for j in range(n):
                matrix[i, j] = d[i] * A[i, j] * d[j]  # the transpose of I - K
            matrix[i, i] = 1.0
        factor_small(matrix, n, pivots)
        substitute_small(matrix, n, pivots, flow)
        for i in range(n):
            flow[i] *= d[i]
            change[i] = -x[i] * s[i]
        dv = direction(A, n, tau, x, d, flow, drift, change, matrix, pivots, dx, ds)
        reach = 1.0
        for i in range(n):
            reach = min(reach, reach_of(x[i], dx[i]), reach_of(s[i], ds[i]))
        if tau == 0:
            changes = 0
            for i in range(n):
                stays = dx[i] > -0.5 * x[i]  # dx / x + ds / s = -1: one of x, s tends to 0
                changes += played[i] != stays
                played[i] = stays
            # with more changes the support has not settled
            if changes <= 4 + n // 50 and solve_support(A, n, played, rounding, next_dx, change):
                for i in range(n):
                    x[i] = next_dx[i]
                return True, steps

        # correctors: towards the centre, with the second-order term of the previous step
        wanted = (1 - reach) ** 3 * gap / n
        length = 0.0
        for _ in range(CORRECTIONS):
            for i in range(n):
                change[i] = wanted - x[i] * s[i] - dx[i] * ds[i]
            next_dv = direction(A, n, tau, x, d, flow, drift, change, matrix, pivots, next_dx, next_ds)
            longer = 1e300
            for i in range(n):
                longer = min(longer, reach_of(x[i], next_dx[i]), reach_of(s[i], next_ds[i]))
            if longer <= length:
                break
            length, dv = longer, next_dv
            for i in range(n):
                dx[i] = next_dx[i]
                ds[i] = next_ds[i]
        length = min(1.0, max(0.9, 1 - gap) * length)
        while length > SHORTEST and not is_central(x, s, dx, ds, length, n):
            length *= 0.8
        total = 0.0
        for i in range(n):
            x[i] += length * dx[i]
            s[i] += length * ds[i]
            total += x[i]
        v += length * dv
        for i in range(n):
            x[i] /= total
        gradient(A, n, tau, log_reference, x, drift)


@njit
def gradient(A, n, tau, log_reference, x, out):
    """out = tau log(x / reference) - A x, float64[n]; returns its smallest entry."""
    for i in range(n):
        out[i] = 0.0
    for j in range(n):
        for i in range(n):
            out[i] += A[j, i] * x[j]  # by rows, as A' = -A
    lowest = 1e300
    for i in range(n):
        if tau > 0:
            out[i] += tau * (math.log(x[i]) - log_reference[i])
        lowest = min(lowest, out[i])
    return lowest


@njit
def direction(A, n, tau, x, d, flow, drift, change, matrix, pivots, dx, ds):
    """The step that changes x s by `change`, into dx and ds float64[n]; returns dv."""
    for i in range(n):
        dx[i] = d[i] * (change[i] / x[i] - drift[i])
    substitute_small(matrix, n, pivots, dx)
    total = 0.0
    mass = 0.0
    for i in range(n):
        dx[i] *= d[i]
        total += dx[i]
        mass += flow[i]
    dv = total / mass
    for i in range(n):
        dx[i] -= dv * flow[i]
        ds[i] = dv + drift[i] + tau * dx[i] / x[i]
    for j in range(n):
        for i in range(n):
            ds[i] += A[j, i] * dx[j]
    return dv


@njit
def reach_of(value, change):
    """The largest t with value + t change >= 0."""
    return -value / change if change < 0 else 1e300


@njit
def is_central(x, s, dx, ds, length, n):
    """Whether after a step of this length no product x s is far below the mean."""
    least = 1e300
    mean = 0.0
    for i in range(n):
        product = (x[i] + length * dx[i]) * (s[i] + length * ds[i])
        least = min(least, product)
        mean += product / n
    return least >= CENTRAL * mean
