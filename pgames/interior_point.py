"""The equilibria of one antisymmetric game, by a feasible predictor-corrector interior-point method.

The equilibria of A = -A' are the x in the simplex with A x <= 0. With slacks s = v 1 - A x, antisymmetry
gives x's = v. A step that changes the products x s by r then has dv = sum(r) and takes one linear system,

    (diag(s / x) - A) dx = r / x - dv 1,    solved as    (I - K) u = g,   K = sqrt(x/s) A sqrt(x/s) = -K',

which serves the predictor (r = -x s) and the correctors (r = sigma mu 1 - x s - dx ds, mu = v / n) alike.
As soon as the predictor separates the responses that are played from those that are not, the indifference
equations of the former are solved directly; an equilibrium found in that way is exact and the only one.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pgames.linear import LU, factor_resolvent, factor_transposed

Vector = NDArray[np.float64]

MAX_STEPS = 100
CLOSED = 1e-13  # the path is followed until v, the bound on the exploitability, falls below this
CENTRAL = 1e-6  # smallest product x s on the path, relative to the mean one
CORRECTIONS = 4  # solves per LU that account for the second-order term dx ds


class PathEnd(NamedTuple):
    """Where the central path was left: a point, who is played in the limit, and whether x is exact."""

    x: Vector
    played: NDArray[np.bool_]
    exact: bool
    steps: int


def follow_path(A: Vector, rounding: float) -> PathEnd:
    """Follow the central path of A float64[n, n], antisymmetric, largest entry 1, known up to `rounding`."""
    n = len(A)
    x = np.full(n, 1 / n)
    payoff = A @ x
    v = float(2 * payoff.max() + 1e-3)
    s = v - payoff
    step, played, buffer = 0, x > 0, np.empty((n, n))
    while v > CLOSED and step < MAX_STEPS:
        step += 1
        lu = factor_resolvent(A, np.sqrt(x / s), buffer)
        dx, ds = _direction(A, x, s, lu, -x * s)
        played = dx / x > -0.5  # dx / x + ds / s = -1: which of the two is on its way to 0
        reach = min(1.0, _reach(x, dx), _reach(s, ds))
        if reach > 0.3 and (unique := solve_support(A, played, rounding)) is not None:
            return PathEnd(unique, played, True, step)

        wanted = (1 - reach) ** 3 * v / n - x * s
        length = 0.0
        for _ in range(CORRECTIONS):
            corrected = _direction(A, x, s, lu, wanted - dx * ds)
            longer = min(_reach(x, corrected[0]), _reach(s, corrected[1]))
            if longer <= length:
                break
            (dx, ds), length = corrected, longer
        length = min(1.0, max(0.9, 1 - v) * length)
        while (products := (x + length * dx) * (s + length * ds)).min() < CENTRAL * products.mean():
            length *= 0.8
        x = x + length * dx
        s = s + length * ds
        x /= x.sum()
        v = float(x @ s)
    return PathEnd(x, played, False, step)


def solve_support(A: Vector, played: NDArray[np.bool_], rounding: float) -> Vector | None:
    """The equilibrium that plays exactly these responses, provided that it is the game's only one.

    Then A_BB x_B = 0, sum(x_B) = 1 has one solution, it is positive, and A x < 0 off the support.
    """
    k = int(np.count_nonzero(played))
    if k % 2 == 0:  # the kernel of an antisymmetric matrix has the parity of its size
        return None
    equations = np.ones((k + 1, k + 1))
    equations[:k, :k] = A[np.ix_(played, played)]
    equations[k, k] = 0
    norm = np.abs(equations).sum(axis=0).max()
    lu = factor_transposed(equations)
    if lu.reciprocal_condition(norm) < 100 * k * rounding:
        return None
    right = np.zeros(k + 1)
    right[k] = 1
    inside = lu.solve(right)[:k]
    if not inside.min() > 0:
        return None
    x = np.zeros(len(A))
    x[played] = inside / inside.sum()
    return x if (A @ x)[~played].max(initial=-1.0) < 0 else None


def _direction(A: Vector, x: Vector, s: Vector, lu: LU, r: Vector) -> tuple[Vector, Vector]:
    """(dx, ds) with s dx + x ds = r, ds = dv 1 - A dx and sum(dx) = 0."""
    dv = r.sum()
    d = np.sqrt(x / s)
    dx = d * lu.solve(r / np.sqrt(x * s) - dv * d)
    return dx, dv - A @ dx


def _reach(x: Vector, dx: Vector) -> float:
    """The largest t with x + t dx >= 0."""
    return 1 / max(float((-dx / x).max()), 1e-300)
