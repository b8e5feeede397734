"""One strategy for several zero-sum games at once: the row is shared, and every game has its own column."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pgames.exact.zero_sum import nash_zero_sum
from pgames.numerics import check_distribution, real

Array = NDArray[np.float64]

LARGEST_GAP = 1e-9  # of the payoff range: a larger one is an error
FEASIBLE = 1e-10  # tolerance of the linear program, the least that HiGHS takes
PLAYED = 1e-9  # probability below which a vertex does not play a strategy


class SharedRow(NamedTuple):
    """A row strategy for all games, and a column strategy for each.

    row, columns : float64[m] and float64[X, n], probabilities; columns outside the support are 0.
    guaranteed : sum_x weight_x min_j (row A_x)_j, what the row gets at least.
    gap : max_i sum_x weight_x (A_x column_x)_i - guaranteed: 0 at an optimum.
    """

    row: Array
    columns: Array
    guaranteed: float
    gap: float


def shared_row(A: ArrayLike, weights: ArrayLike, support: ArrayLike | None = None) -> SharedRow:
    """max over row of sum_x weights_x min_j (row A_x)_j, for payoffs A float64[X, m, n] of X games.

    The column player knows which game is played, the row player does not. One game is `nash_zero_sum`, with
    the centre of its equilibria. Several are one linear program (HiGHS), of which a vertex is returned,
    after its linear equations have been solved again to rounding.

    Parameters
    ----------
    weights : float64[X], a distribution over games.
    support : bool[X, n], the columns that each game has; all by default.

    Raises ValueError when a shape is wrong or a game has no column, and RuntimeError when the gap exceeds
    1e-9 of the payoff range, never seen.
    """
    payoff, shares = real("A", A), real("weights", weights)
    if payoff.ndim != 3 or 0 in payoff.shape or not np.isfinite(payoff).all():
        raise ValueError(f"A must be finite and have shape [X, m, n], got {list(payoff.shape)}.")
    X, _, n = payoff.shape
    inside = np.ones((X, n), dtype=bool) if support is None else np.asarray(support, dtype=bool)
    if shares.shape != (X,) or inside.shape != (X, n):
        raise ValueError(
            f"weights must have shape [{X}] and support [{X}, {n}], got {list(shares.shape)} and "
            f"{list(inside.shape)}."
        )
    check_distribution("weights", shares)
    if not inside.any(axis=1).all():
        raise ValueError(f"game {int(np.argmin(inside.any(axis=1)))} has no column in its support.")
    row, columns = _one(payoff[0], inside[0]) if X == 1 else _several(payoff, shares, inside)
    guaranteed, best = _kept_by(row, payoff, shares, inside), _most(columns, payoff, shares)
    spread = float(np.ptp(payoff)) or 1.0
    rounding = np.finfo(np.float64).eps * sum(payoff.shape) * float(np.abs(payoff).max())
    if not (gap := best - guaranteed) <= LARGEST_GAP * spread + rounding:
        raise RuntimeError(f"no optimum to {LARGEST_GAP:g} of the payoff range: a gap of {gap:.3g} is left.")
    return SharedRow(row, columns, guaranteed, gap)


def _one(A: Array, inside: NDArray[np.bool_]) -> tuple[Array, Array]:
    found = nash_zero_sum(A[:, inside])
    columns = np.zeros((1, len(inside)))
    columns[0, inside] = found.column
    return found.row, columns


def _several(A: Array, shares: Array, inside: NDArray[np.bool_]) -> tuple[Array, Array]:
    """min -sum_x weight_x v_x subject to v_x <= (row A_x)_j; the duals are the columns."""
    from scipy.optimize import linprog

    X, m, _ = A.shape
    A = (A - A.min()) / (float(np.ptp(A)) or 1.0)  # the tolerances of the program are absolute
    which, column = np.nonzero(inside)
    rows = np.zeros((len(which), m + X))
    rows[:, :m] = -A[which, :, column]
    rows[np.arange(len(which)), m + which] = 1.0
    simplex = np.r_[np.ones(m), np.zeros(X)][None]
    found = linprog(
        np.r_[np.zeros(m), -shares],
        A_ub=rows,
        b_ub=np.zeros(len(which)),
        A_eq=simplex,
        b_eq=[1.0],
        bounds=[(0, None)] * m + [(None, None)] * X,
        method="highs-ds",
        options={"primal_feasibility_tolerance": FEASIBLE, "dual_feasibility_tolerance": FEASIBLE},
    )
    if found.status != 0:
        raise RuntimeError(f"the linear program of the shared row was not solved: {found.message}")
    row = np.maximum(found.x[:m], 0.0)
    columns = np.zeros(inside.shape)
    columns[which, column] = np.maximum(-found.ineqlin.marginals, 0.0)
    total = columns.sum(axis=1, keepdims=True)
    uniform = inside / inside.sum(axis=1, keepdims=True)
    row, columns = row / row.sum(), np.where(total > 0, columns / np.where(total > 0, total, 1.0), uniform)
    better, answers = _polished(A, shares, row, columns)
    if _kept_by(better, A, shares, inside) > _kept_by(row, A, shares, inside):
        row = better
    return row, answers if _most(answers, A, shares) < _most(columns, A, shares) else columns


def _polished(A: Array, shares: Array, row: Array, columns: Array) -> tuple[Array, Array]:
    """The row and the columns with the same supports, from the linear equations of an equilibrium.

    The program solves them only to its tolerance.
    """
    (X, m, _), used = A.shape, np.flatnonzero(row > PLAYED)
    which, column = np.nonzero(columns > PLAYED)
    k, c = len(used), len(which)
    level = np.zeros((c + 1, k + X))  # (row A_x)_j = v_x, sum row = 1
    level[:c, :k], level[np.arange(c), k + which] = A[which, :, column][:, used], -1.0
    level[c, :k] = 1.0
    better = np.zeros(m)
    better[used] = np.maximum(np.linalg.lstsq(level, np.eye(c + 1)[c])[0][:k], 0.0)
    even = np.zeros((k + X, c + 1))  # sum_x w_x (A_x column_x)_i = u, sum column_x = 1
    even[:k, :c], even[:k, c] = shares[which] * A[which][:, used, :][np.arange(c), :, column].T, -1.0
    even[k + which, np.arange(c)] = 1.0
    answers = np.zeros(columns.shape)
    answers[which, column] = np.maximum(np.linalg.lstsq(even, np.r_[np.zeros(k), np.ones(X)])[0][:c], 0.0)
    total = answers.sum(axis=1, keepdims=True)
    answers = np.where(total > 0, answers / np.where(total > 0, total, 1.0), columns)
    return better / (better.sum() or 1.0), answers


def _kept_by(row: Array, A: Array, shares: Array, inside: NDArray[np.bool_]) -> float:
    """What a row gets at least."""
    return float(shares @ np.where(inside, row @ A, np.inf).min(axis=1))


def _most(columns: Array, A: Array, shares: Array) -> float:
    """What the best row gets against the columns."""
    return float(np.einsum("x,xmn,xn->m", shares, A, columns).max())
