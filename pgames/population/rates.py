"""Checks of the tables that meta-solvers and matchmakers read."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pgames.numerics import real

Array = NDArray[np.float64]


def check_rates(rates: ArrayLike) -> Array:
    """The win rates of K members in S runs as float64[S, K, K].

    Raises ValueError when the shape differs, a rate is NaN (two that never met) or outside [0, 1], or
    rates + rates' is not 1.
    """
    P = real("win rates", rates)
    if P.ndim != 3 or P.shape[1] != P.shape[2] or 0 in P.shape:
        raise ValueError(f"win rates of a population have shape [S, K, K], got {list(P.shape)}.")
    if not (valid := (P >= 0) & (P <= 1) & (np.abs(P + np.swapaxes(P, 1, 2) - 1) <= 1e-6)).all():
        s, i, j = (int(n) for n in np.argwhere(~valid)[0])
        if np.isnan(P[s, i, j] + P[s, j, i]):
            raise ValueError(
                f"the win rate of members {i} and {j} is unknown in run {s}: let them play, or read the "
                "rates with Meetings.known()."
            )
        raise ValueError(
            f"win rates must lie in [0, 1] and rates + rates' must be 1, got {P[s, i, j]:.6g} and "
            f"{P[s, j, i]:.6g} for members {i} and {j} in run {s}."
        )
    return P


def check_success(success: ArrayLike) -> Array:
    """The success of K attackers on K defenders in S runs as float64[S, K, K].

    Raises ValueError when the shape differs, or an entry is NaN (two that never met) or outside [0, 1].
    """
    A = real("success", success)
    if A.ndim != 3 or A.shape[1] != A.shape[2] or 0 in A.shape:
        raise ValueError(f"the success of attackers on defenders has shape [S, K, K], got {list(A.shape)}.")
    if not (valid := (A >= 0) & (A <= 1)).all():
        s, i, j = (int(n) for n in np.argwhere(~valid)[0])
        raise ValueError(
            f"success must lie in [0, 1], got {A[s, i, j]:.6g} of attacker {i} on defender {j} in run {s}: "
            "let the two play where it is NaN."
        )
    return A
