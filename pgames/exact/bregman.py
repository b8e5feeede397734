"""The equilibrium of an antisymmetric game with any regulariser: interior point, then Newton.

The equilibrium of P(p > q) - tau D(p, ref) + tau D(q, ref) is the x in the simplex for which some v makes

    s = v 1 + tau (phi'(x) - phi'(ref)) - A x >= 0    and    x s = 0.

The path x s = mu 1, mu -> 0, is followed as in `interior_point`, with tau phi''(x) in place of tau / x. It is
left for Newton's method on the fixed point x = y(x), where y has the dual coordinates phi'(ref) + A x / tau
up to a constant. With w = dy / d dual (0 where y is 0) a step ends at y + m,

    (I - W A / tau) m = W (A (y - x) / tau - lam),    sum m = 0,

which is regular for every antisymmetric A, and exact in one step where psi is quadratic and the support
right.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from pgames.exact.linear import factor_resolvent
from pgames.regularisers.contract import Regulariser
from pgames.regularisers.steps import flows, policy_of

Array = NDArray[np.float64]

EXACT = 4 * float(np.finfo(float).eps)  # a residual that needs no improvement
STALLED = 4  # Newton's method stops after this many steps without halving the residual
FOUND = (
    1e-9  # below this residual, times tau where that is small, Newton's method has converged up to rounding
)
CLOSED = 1e-15  # the path ends when x's is below this
MAX_STEPS = 200
CENTRAL = 1e-6  # smallest product x s on the path, relative to their mean
CORRECTIONS = 3


@np.errstate(
    over="ignore", divide="ignore", invalid="ignore"
)  # references of 1e-300 have slopes beyond 1e308
def bregman_nash(A: Array, reference: Array, tau: float, regulariser: Regulariser) -> tuple[Array, int]:
    """(x float64[n], linear systems solved) for A float64[n, n] antisymmetric; tau and reference above 0."""
    size = float(np.abs(A).max()) or 1.0
    A, tau = A / size, tau / size
    anchor = regulariser.gradient(reference, reference)
    n = len(A)
    x = (reference + 1 / n) / 2
    gradient = tau * (regulariser.gradient(x, reference) - anchor) - A @ x
    v = 1e-3 - 2 * min(0.0, float(gradient.min()))
    point = np.stack([x, v + gradient])
    handover, steps, best, best_residual = np.inf if tau >= 1 else 0.1 * tau, 0, reference, math.inf
    while True:
        x, s = point
        gap = float(x @ s)
        drift = v + gradient - s
        last = gap < CLOSED or steps >= MAX_STEPS
        if (gap < handover and np.abs(drift).max() < 0.1) or last:
            found, residual, more = _newton(A, reference, anchor, tau, x, regulariser)
            steps += more
            if residual < best_residual:
                best, best_residual = found, residual
            if best_residual <= FOUND * min(1.0, tau) or last:
                return best, steps
            handover = min(handover, 1.0) / 100
        steps += 1
        with np.errstate(over="ignore", divide="ignore"):
            bend = tau * regulariser.curvature(x, reference)
        d = 1 / np.sqrt(s / x + bend)
        lu = factor_resolvent(A, d)
        flow = d * lu.solve(d)
        mass = float(flow.sum())

        def direction(r: Array) -> tuple[Array, float]:
            free = d * lu.solve(d * (r / x - drift))  # noqa: B023
            dv = float(free.sum()) / mass  # noqa: B023
            dx = free - dv * flow  # noqa: B023
            return np.stack([dx, dv + drift + bend * dx - A @ dx]), dv  # noqa: B023

        change, dv = direction(-x * s)
        wanted = (1 - min(1.0, _reach(point, change))) ** 3 * gap / n - x * s
        length = 0.0
        for _ in range(CORRECTIONS):
            corrected, dv_corrected = direction(wanted - change[0] * change[1])
            if (longer := _reach(point, corrected)) <= length:
                break
            change, dv, length = corrected, dv_corrected, longer
        length = min(1.0, max(0.9, 1 - gap) * length)
        while (products := np.prod(point + length * change, axis=0)).min() < CENTRAL * products.mean():
            length *= 0.8
        point = point + length * change
        point[0] /= point[0].sum()
        v += length * dv
        gradient = tau * (regulariser.gradient(point[0], reference) - anchor) - A @ point[0]


def _reach(point: Array, change: Array) -> float:
    """The largest t with point + t change >= 0."""
    return 1 / max(-float((change / point).min()), 1e-300)


def _newton(
    A: Array, base: Array, anchor: Array, tau: float, start: Array, regulariser: Regulariser
) -> tuple[Array, float, int]:
    """(x, ||x - best response to x||_1, steps): the best x float64[n] that Newton met from `start`."""
    x, best, best_residual, stalled, steps = start, start, math.inf, 0, 0
    while True:
        answer = policy_of(regulariser, anchor + A @ x / tau, base)
        residual = float(np.abs(x - answer).sum())
        stalled = 0 if residual < 0.5 * best_residual else stalled + 1
        if residual < best_residual:
            best, best_residual = x, residual
        if best_residual <= EXACT or stalled == STALLED or not math.isfinite(residual):
            return best, best_residual, steps
        steps += 1
        w = flows(regulariser, answer, base)
        played = np.flatnonzero(w > 0)
        w = w[played]
        right = np.column_stack([w * (A[played] @ (answer - x)) / tau, w])
        system = np.eye(len(played)) - w[:, None] * A[np.ix_(played, played)] / tau
        try:
            free, flow = np.linalg.solve(system, right).T
        except np.linalg.LinAlgError:  # A / tau has no digits left
            return best, best_residual, steps
        aim = answer.copy()
        aim[played] += free - free.sum() / flow.sum() * flow
        x = policy_of(regulariser, anchor + A @ aim / tau, base)
