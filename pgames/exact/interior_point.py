"""The equilibrium of one antisymmetric game, by a predictor-corrector interior-point method.

At temperature tau >= 0 the equilibrium of A = -A' is the x in the simplex for which some v makes

    s = v 1 + tau log(x / ref) - A x >= 0    and    x s = 0.

The method follows the path x s = mu 1, mu -> 0, in steps that change the products x s by r. Antisymmetry
reduces each step to one linear system for the change of x alone, with D = diag((s + tau) / x),

    (D - A) dx = r / x - dv 1,    solved as    (I - K) u = g,    K = D^-1/2 A D^-1/2 = -K',

which serves the predictor (r = -x s) and the correctors (r = sigma mu 1 - x s - dx ds) alike: one LU a step.

At tau = 0 a large game starts at an average of regret matching (`start.py`), others in the middle. Where
regret matching leaves few responses, their game is solved instead.

The path is left early. At tau = 0, once the predictor separates the responses that are played from the
others, the indifference equations of the played ones are solved; an equilibrium found in this way is exact
and unique. At tau > 0 Newton's method takes over once mu is small compared with tau.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pgames.exact.flat import Embedded, SmallSide
from pgames.exact.linear import LU, factor_resolvent, factor_transposed
from pgames.exact.newton import FOUND, PATIENCE, STALLED, newton
from pgames.exact.start import ENOUGH, SMALLEST, averaged, inside

Array = NDArray[np.float64]

MAX_STEPS = 200
CLOSED = 1e-15  # the path ends when x's is below this
SHORTEST = 1e-12  # a step is not shortened further
CENTRAL = 1e-6  # smallest product x s on the path, relative to their mean
CORRECTIONS = 3  # solves per LU that account for the second-order term dx ds
NEAR = 1e-6  # a flat game without a unique equilibrium leaves the path here for the centre
LEVELS = (1.0, 1e-2, 1e-4)  # of that gap, at which it is on the central path
CENTRED = 30  # most Newton steps to a point of the central path
WARM = 0.1  # at this tau or above Newton's method needs no path
HANDOVER = 0.1  # below it, Newton's method takes over when x's is less than this times tau


class PathEnd(NamedTuple):
    """The end of the path: a point, the responses played in the limit (at tau = 0), whether x is exact.

    x float64[n], played bool[n].
    """

    x: Array
    played: NDArray[np.bool_]
    exact: bool
    steps: int


class System(NamedTuple):
    """The linear system of one step, from the point (x, s): A float64[n, n]; x, drift, d, flow float64[n]."""

    A: Array | Embedded
    tau: float
    x: Array
    drift: Array  # the deviation of s from its definition: rounding, and the curvature of the logarithm
    d: Array
    lu: LU | SmallSide
    flow: Array  # the change of x per unit of -dv
    mass: float  # its sum

    def direction(self, r: Array) -> tuple[Array, float]:
        """((dx, ds) float64[2, n], dv) with s dx + x ds = r float64[n] and sum(dx) = 0."""
        change = np.empty((2, len(r)))
        dx = change[0]
        free = self.d * self.lu.solve(self.d * (r / self.x - self.drift))
        dv = free.sum() / self.mass
        np.subtract(free, dv * self.flow, out=dx)
        np.subtract(dv + self.drift, self.A @ dx, out=change[1])
        if self.tau > 0:
            change[1] += self.tau * dx / self.x
        return change, dv


def linearised(
    A: Array | Embedded, tau: float, point: Array, target: Array, factor: Callable[[Array], LU | SmallSide]
) -> System:
    """The system of a step from point float64[2, n] = (x, s), where s should be the target float64[n]."""
    x, s = point
    d = np.sqrt(x / (s + tau))
    lu = factor(d)
    flow = d * lu.solve(d)
    return System(A, tau, x, target - s, d, lu, flow, float(flow.sum()))


def follow_path(
    A: Array | Embedded, log_reference: Array, tau: float, rounding: float, precision: float = 0.0
) -> PathEnd:
    """Solve A float64[n, n], antisymmetric with largest entry 1 (or 0), whose entries err by `rounding`.

    At tau = 0 the path ends at the first point with max A x <= `precision`, and is then called exact.
    """
    n = len(A)
    played, steps = np.ones(n, dtype=bool), 0
    factor: Callable[[Array], LU | SmallSide]
    factor = A.resolvent if isinstance(A, Embedded) else Resolvents(A)
    x = np.full(n, 1 / n)
    if tau == 0 and n >= SMALLEST and isinstance(factor, Resolvents) and not isinstance(A, Embedded):
        x, exact = averaged(
            A, max(precision / 2, ENOUGH), factor.buffer, lambda some: solve_among(A, some, rounding)
        )
        if exact or (0 < precision and float((A @ x).max()) <= precision):
            return PathEnd(x, played, True, 0)
        x, v = inside(A, x)
        gradient = -(A @ x)
    else:
        gradient = tau * (np.log(x) - log_reference) - A @ x
        v = 1e-3 - 2 * min(0.0, float(gradient.min()))
    point = np.stack([x, v + gradient])
    handover = np.inf if tau >= WARM else HANDOVER * tau
    while True:
        x, s = point
        gap = float(x @ s)
        if tau == 0 and 0 < precision and -float(gradient.min()) <= precision:
            return PathEnd(x, played, True, steps)
        last = gap < CLOSED or steps >= MAX_STEPS
        if tau > 0 and not isinstance(A, Embedded) and (gap < handover or last):
            start = np.log(x) if steps else log_reference
            solution, residual, more = newton(A, log_reference, tau, start, PATIENCE if last else STALLED)
            steps += more
            if residual < FOUND or last:
                return PathEnd(solution, played, True, steps)
            handover = min(handover, tau) / 100
        if last:
            return PathEnd(x, x > s, False, steps)  # a predictor is rounding here

        steps += 1
        system = linearised(A, tau, point, v + gradient, factor)
        change, dv = system.direction(-x * s)
        if tau == 0:
            before, played = played, change[0] > -0.5 * x  # dx / x + ds / s = -1: one of x, s tends to 0
            if np.count_nonzero(before != played) <= 4 + n // 50:  # else the support has not settled
                if (unique := solve_support(A, played, rounding)) is not None:
                    return PathEnd(unique, played, True, steps)

        change, dv, length = _corrected(system, point, change, dv, gap)
        if isinstance(A, Embedded) and np.prod(point + length * change, axis=0).sum() < NEAR:
            return PathEnd(_centre_of_flat(A, point, v), played, False, steps)
        point = point + length * change
        point[0] /= point[0].sum()
        v += length * dv
        gradient = tau * (np.log(point[0]) - log_reference) - A @ point[0]


def _corrected(
    system: System, point: Array, change: Array, dv: float, gap: float
) -> tuple[Array, float, float]:
    """(change float64[2, n], dv, length) of the step: corrections of the predictor that allow a longer one.

    Its length keeps every product x s above CENTRAL of their mean.
    """
    products = np.prod(point, axis=0)
    wanted = (1 - min(1.0, _reach(point, change))) ** 3 * gap / len(products) - products
    length = 0.0
    for _ in range(CORRECTIONS):
        corrected, dv_corrected = system.direction(wanted - change[0] * change[1])
        if (longer := _reach(point, corrected)) <= length:
            break
        change, dv, length = corrected, dv_corrected, longer
    length = min(1.0, max(0.9, 1 - gap) * length)
    while length > SHORTEST:
        products = np.prod(point + length * change, axis=0)
        if products.min() >= CENTRAL * products.mean():
            break
        length *= 0.8
    return change, dv, length


class Resolvents:
    """The solvers of I - diag(d) A diag(d) for one A float64[n, n]; each overwrites the one before."""

    def __init__(self, A: Array):
        self.A, self.buffer = A, np.empty(A.shape)

    def __call__(self, d: Array) -> LU:
        return factor_resolvent(self.A, d, self.buffer)


def solve_support(A: Array | Embedded, played: NDArray[np.bool_], rounding: float) -> Array | None:
    """The equilibrium float64[n] that plays exactly `played` bool[n] if it is unique, else None.

    It is unique when A_BB x_B = 0, sum(x_B) = 1 has one solution, which is positive, and A x < 0 off the
    support, each by a margin above rounding.
    """
    k = int(np.count_nonzero(played))
    if k % 2 == 0:  # the kernel of an antisymmetric matrix has the parity of its size
        return None
    if isinstance(A, Embedded) and k > A.widest:
        return None
    equations = np.ones((k + 1, k + 1))
    equations[:k, :k] = -(A.block(played) if isinstance(A, Embedded) else A[np.ix_(played, played)])
    equations[k, k] = 0
    lu = factor_transposed(equations)
    right = np.zeros(k + 1)
    right[k] = 1
    found = lu.solve(right)[:k]
    margin = 100 * k * rounding
    if not found.min() > margin or lu.reciprocal_condition(k) < margin:
        return None
    x = np.zeros(len(A))
    x[played] = found
    right[:k], right[k] = -(A @ x)[played], 1 - found.sum()  # one step of iterative refinement
    x[played] += lu.solve(right)[:k]
    x = np.maximum(x, 0)
    x /= x.sum()
    return x if (A @ x)[~played].max(initial=-1.0) < -margin else None


def solve_among(A: Array, some: NDArray[np.bool_], rounding: float) -> Array | None:
    """The equilibrium float64[n] if it is unique and plays only responses in `some` bool[n], else None.

    It is that of the game of these responses, if the others lose against it.
    """
    inside = np.flatnonzero(some)
    end = follow_path(A[np.ix_(inside, inside)], np.zeros(len(inside)), 0.0, rounding)
    if not end.exact:
        return None
    played = np.zeros(len(A), dtype=bool)
    played[inside[end.x > 0]] = True
    return solve_support(A, played, rounding)


def _centre_of_flat(A: Embedded, point: Array, v: float) -> Array:
    """The limit of the central path: Newton steps to the path, then one along it to its end.

    Near its end the path is straight, to the square of the gap; the best of a few such ends is returned.
    """
    best, least = point[0], np.inf
    for mu in (NEAR * level / len(A) for level in LEVELS):
        for step in range(CENTRED):
            x, s = point
            system = linearised(A, 0.0, point, v - A @ x, A.resolvent)
            if step == CENTRED - 1 or np.abs(x * s - mu).max() < 1e-6 * mu:
                break
            change, dv = system.direction(mu - x * s)
            length = min(1.0, 0.9 * _reach(point, change))
            point, v = point + length * change, v + length * dv
            if not (point > 0).all():  # by rounding
                return best
        x, s = (
            point + linearised(A, 0.0, point, v - A @ point[0], A.resolvent).direction(-point.prod(axis=0))[0]
        )
        x = np.where(x > s, np.maximum(x, 0.0), 0.0)
        x /= x.sum() or 1.0
        gap = float((A @ x).max()) if x.any() else np.inf
        if not gap < least:
            return best
        best, least = x, gap
    return best


def _reach(point: Array, change: Array) -> float:
    """The largest t with point + t change >= 0."""
    return 1 / max(-float((change / point).min()), 1e-300)
