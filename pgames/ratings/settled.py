"""Where online Elo settles under a schedule of matches."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from pgames.numerics import number, real
from pgames.ratings.bradley_terry import fit_points
from pgames.ratings.scores import Ratings

ELO = 400 / math.log(10)  # points per unit of log-strength


def settled(
    rates: ArrayLike, met: ArrayLike | None = None, prior: float = 0.0, items: Sequence[str] | None = None
) -> Ratings:
    """The ratings R with sum_j met_ij (P_ij - 1 / (1 + 10 ** ((R_j - R_i) / 400))) = 0 and mean 0.

    Online Elo (`elo`) fluctuates about this point, ever closer as k -> 0. It is the Bradley-Terry fit
    weighted by how often pairs meet, so where preferences are cyclic the schedule decides the ratings.

    Parameters
    ----------
    rates : float64[K, K], P_ij of i against j; entries of pairs that never meet are ignored and may be NaN.
    met : float64[K, K], symmetric, how often each pair meets, in any unit; all pairs equally by default.
    prior : games won and as many lost by every item against an opponent of rating 0, in the unit of `met`.

    Raises ValueError when an argument is out of its range, when rates + rates' is not 1 where two meet, and
    when a rating is infinite, naming the items.
    """
    P = real("rates", rates)
    if P.ndim != 2 or P.shape[0] != P.shape[1] or 0 in P.shape:
        raise ValueError(f"rates must have shape [K, K], got {list(P.shape)}.")
    K = len(P)
    names = tuple(str(i) for i in range(K)) if items is None else tuple(items)
    weights = np.ones((K, K)) if met is None else real("met", met).copy()
    if weights.shape != (K, K) or len(names) != K:
        raise ValueError(
            f"met must have shape [{K}, {K}] and items {K} names, got {list(weights.shape)} and {len(names)}."
        )
    np.fill_diagonal(weights, 0.0)
    if not (np.isfinite(weights) & (weights >= 0)).all() or not np.allclose(
        weights, weights.T, rtol=1e-9, atol=0
    ):
        raise ValueError(
            "met must be finite, at least 0 and symmetric: met[i, j] counts the games of i and j."
        )
    if not 0 <= number(prior) < np.inf:
        raise ValueError(f"prior must be finite and at least 0, got {prior!r:.60}.")
    meets = weights > 0
    valid = ~meets | ((P >= 0) & (P <= 1) & (np.abs(P + P.T - 1) <= 1e-6))
    if not valid.all():
        i, j = (int(n) for n in np.argwhere(~valid)[0])
        raise ValueError(
            "rates must be in [0, 1] with rates + rates' = 1 where two meet, got "
            f"{P[i, j]:.6g} and {P[j, i]:.6g} for {names[i]} and {names[j]}."
        )
    if not meets.any():
        return Ratings(names, np.zeros(K))
    unit = weights.sum() / (K * (K - 1))  # games of a pair on average
    points = np.where(meets, weights * P, 0.0) / unit
    return Ratings(names, ELO * fit_points(points, prior / unit, names))
