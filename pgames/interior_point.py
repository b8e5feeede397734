"""The equilibrium of one antisymmetric game, by a predictor-corrector interior-point method.

At temperature tau >= 0 the equilibrium of A = -A' is the x in the simplex for which some v makes

    s = v 1 + tau log(x / ref) - A x >= 0    and    x s = 0.

The path x s = mu 1, mu -> 0, is followed by steps that ask the products x s to change by r. Antisymmetry
reduces each to one linear system for the change of x alone, with D = diag((s + tau) / x),

    (D - A) dx = r / x - dv 1,    solved as    (I - K) u = g,    K = D^-1/2 A D^-1/2 = -K',

which serves the predictor (r = -x s) and the correctors (r = sigma mu 1 - x s - dx ds) alike: one LU a step.

The path is left early. At tau = 0, as soon as the predictor separates the responses that are played from
those that are not, the indifference equations of the former are solved: an equilibrium found in that way is
exact and the only one. At tau > 0 Newton's method takes over once mu is small against tau.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pgames.linear import LU, factor_resolvent, factor_transposed
from pgames.newton import FOUND, PATIENCE, STALLED, newton

Vector = NDArray[np.float64]

MAX_STEPS = 200
CLOSED = 1e-13  # the path ends where x's falls below this
CENTRAL = 1e-6  # smallest product x s on the path, relative to the mean one
CORRECTIONS = 4  # solves per LU that account for the second-order term dx ds
WARM = 0.1  # from this temperature on Newton's method needs no path
HANDOVER = 0.1  # else it takes over when x's is below this share of tau


class PathEnd(NamedTuple):
    """Where the path was left: a point, who is played in the limit (at tau = 0), and whether x is exact."""

    x: Vector
    played: NDArray[np.bool_]
    exact: bool
    steps: int


class System(NamedTuple):
    """The linear system of one step."""

    A: Vector
    tau: float
    x: Vector
    s: Vector
    drift: Vector  # by how much s is off its definition: rounding, and the curvature of the logarithm
    d: Vector
    lu: LU
    flow: Vector

    def direction(self, r: Vector) -> tuple[Vector, Vector, float]:
        """(dx, ds, dv) with s dx + x ds = r and sum(dx) = 0."""
        free = self.d * self.lu.solve(self.d * (r / self.x - self.drift))
        dv = free.sum() / self.flow.sum()
        dx = free - dv * self.flow
        return dx, dv + self.tau * dx / self.x - self.A @ dx + self.drift, dv


def follow_path(A: Vector, log_reference: Vector, tau: float, rounding: float) -> PathEnd:
    """Solve A float64[n, n], antisymmetric with largest entry 1 (or 0), whose entries err by `rounding`."""
    n = len(A)
    x, played, steps = np.full(n, 1 / n), np.ones(n, dtype=bool), 0
    gradient = tau * (np.log(x) - log_reference) - A @ x
    v = 1e-3 - 2 * min(0.0, float(gradient.min()))
    s = v + gradient
    handover = np.inf if tau >= WARM else HANDOVER * tau
    buffer = np.empty((n, n))
    while True:
        gap = float(x @ s)
        last = gap < CLOSED or steps >= MAX_STEPS
        if tau > 0 and (gap < handover or last):
            start = np.log(x) if steps else log_reference
            solution, residual, more = newton(A, log_reference, tau, start, PATIENCE if last else STALLED)
            steps += more
            if residual < FOUND or last:
                return PathEnd(solution, played, True, steps)
            handover = min(handover, tau) / 100
        if last:
            return PathEnd(x, played, False, steps)
        steps += 1
        d = np.sqrt(x / (s + tau))
        lu = factor_resolvent(A, d, buffer)
        system = System(A, tau, x, s, v + gradient - s, d, lu, d * lu.solve(d))
        dx, ds, dv = system.direction(-x * s)
        reach = min(1.0, _reach(x, dx), _reach(s, ds))
        if tau == 0 and reach > 0.3:
            played = dx / x > -0.5  # dx / x + ds / s = -1: which of the two is on its way to 0
            if (unique := solve_support(A, played, rounding)) is not None:
                return PathEnd(unique, played, True, steps)

        wanted = (1 - reach) ** 3 * gap / n - x * s
        length = 0.0
        for _ in range(CORRECTIONS):
            corrected = system.direction(wanted - dx * ds)
            longer = min(_reach(x, corrected[0]), _reach(s, corrected[1]))
            if longer <= length:
                break
            (dx, ds, dv), length = corrected, longer
        length = min(1.0, max(0.9, 1 - gap) * length)
        while (products := (x + length * dx) * (s + length * ds)).min() < CENTRAL * products.mean():
            length *= 0.8
        x, s, v = x + length * dx, s + length * ds, v + length * dv
        x /= x.sum()
        gradient = tau * (np.log(x) - log_reference) - A @ x


def solve_support(A: Vector, played: NDArray[np.bool_], rounding: float) -> Vector | None:
    """The equilibrium that plays exactly these responses, provided that it is the game's only one.

    Then A_BB x_B = 0, sum(x_B) = 1 has one solution, it is positive, and A x < 0 off the support; all of
    that by a margin above rounding.
    """
    k = int(np.count_nonzero(played))
    if k % 2 == 0:  # the kernel of an antisymmetric matrix has the parity of its size
        return None
    equations = np.ones((k + 1, k + 1))
    equations[:k, :k] = -A[np.ix_(played, played)]
    equations[k, k] = 0
    norm = np.abs(equations).sum(axis=0).max()
    margin = 100 * k * rounding
    lu = factor_transposed(equations)
    if lu.reciprocal_condition(norm) < margin:
        return None
    right = np.zeros(k + 1)
    right[k] = 1
    inside = lu.solve(right)[:k]
    if not inside.min() > margin:
        return None
    x = np.zeros(len(A))
    x[played] = inside
    right[:k], right[k] = -(A @ x)[played], 1 - inside.sum()  # one step of iterative refinement
    x[played] += lu.solve(right)[:k]
    x = np.maximum(x, 0)
    x /= x.sum()
    return x if (A @ x)[~played].max(initial=-1.0) < -margin else None


def _reach(x: Vector, dx: Vector) -> float:
    """The largest t with x + t dx >= 0."""
    return 1 / max(float((-dx / x).max()), 1e-300)
