"""One antisymmetric game of any scale: its clones, its path, then the choice among its equilibria."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from pgames.exact.clones import find_clones
from pgames.exact.interior_point import PathEnd, follow_path
from pgames.exact.newton import FLAT
from pgames.exact.optimal_face import centre, closest, optimal_face

Array = NDArray[np.float64]
Select = Literal["centre", "max_entropy", "closest"]

WORSE = 1e-14  # largest exploitability (largest payoff 1) of an accepted choice among equilibria


def solve(
    A: Array, reference: Array, tau: float, select: Select, precision: float = 0.0
) -> tuple[Array, int, bool | None]:
    """(x float64[n], linear systems factored, whether x is the only equilibrium) for A float64[n, n],
    antisymmetric, of any scale; None where rounding leaves open whether it is.

    At tau = 0 the first x with max A x <= `precision` is enough, whichever `select` names.
    """
    clones = find_clones(A)
    if clones is None:
        return _solve(A, reference, tau, select, precision, np.ones(len(A)))
    merged, total = A[np.ix_(clones.first, clones.first)], clones.sums(reference)
    x, steps, unique = _solve(merged, total, tau, select, precision, clones.size)
    if unique and tau == 0 and (x[clones.size > 1] > 0).any():
        unique = False
    by_reference = tau > 0 or select == "closest"
    return clones.split(x, reference if by_reference else np.ones(len(A))), steps, unique


def _solve(
    A: Array, reference: Array, tau: float, select: Select, precision: float, copies: Array
) -> tuple[Array, int, bool | None]:
    """The same for A float64[n, n] without clones, whose responses stand for copies float64[n] equal ones."""
    A, scale, rounding = scaled(A)
    end = follow_path(A, np.log(reference), min(tau / scale, FLAT), rounding, precision / scale)
    if end.exact:
        return end.x, end.steps, None if tau == 0 and precision > 0 else True
    x, unique = select_equilibrium(A, end, rounding, reference, select, copies)
    return x, end.steps, unique


def scaled(A: Array) -> tuple[Array, float, float]:
    """(A float64[n, n] with largest entry 1, the factor taken out, the error of its entries).

    The error is the rounding of P near 1/2, in the new scale.
    """
    scale = float(A.max()) or 1.0
    return A / scale, scale, float(np.finfo(float).eps) * max(1.0, 0.5 / scale)


def select_equilibrium(
    A: Array, end: PathEnd, rounding: float, reference: Array, select: Select, copies: Array
) -> tuple[Array, bool | None]:
    """(the equilibrium float64[n] that `select` names among those around the end of the path, whether it is
    the only one); None where rounding leaves that open. A response stands for copies float64[n] equal ones.
    """
    face = optimal_face(A, end.x, end.played, rounding)
    if face is None:
        return end.x, None
    unique = face.directions.shape[1] == 0
    if face.directions.shape[1] == 0:
        inner = face.point
    elif select == "centre":
        inner = centre(face, np.concatenate([copies[end.played], copies[~end.played]]))
    else:
        inner = closest(face, (reference if select == "closest" else copies)[end.played])
    x = np.zeros(len(A))
    x[end.played] = np.maximum(inner, 0)
    x /= x.sum()
    # a game within rounding of a degenerate one may have no face; the end of the path is then returned
    return (x, unique) if (A @ x).max() <= max(WORSE, (A @ end.x).max()) else (end.x, None)
