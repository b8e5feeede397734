"""What a square matrix holds: win rates, margins, payoffs or support, told from its numbers alone."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pgames.cli.matrices import Matrix
from pgames.games.preference import SKEW_TOLERANCE, PreferenceGame

Numbers = NDArray[np.floating]
Places = NDArray[np.bool_]

NEAR_ONE = 1e-6  # pairs that add up to 1 within this are win rates, with more rounding than is allowed


class Understood(NamedTuple):
    """A game, and a line on how the matrix was understood."""

    game: PreferenceGame
    kind: str


def understand(matrix: Matrix, symmetrise: bool) -> Understood:
    """The game of a matrix float[Y, Y], or of win rates float[X, Y, Y].

    A matrix A with A + A' = 0 holds P - 1/2 where no entry exceeds 1/2, payoffs (P = (1 + A) / 2) where none
    exceeds 1, and margins else (P = 1/2 + A / (2 max A)). A matrix in which the two entries of every pair add
    up to the same number c, not 1, holds the support by c voters (P = A / c). In a matrix of 0 alone every
    pair is tied. Any other must be win rates P. What stands on the diagonal does not matter if it is empty or
    0. Sums are compared with the rounding of the type in which the matrix is stored.

    Raises ValueError when the matrix is not square, its names differ, or it is not a preference game.
    """
    values, names = _square(matrix)
    if values.ndim == 3:
        return Understood(
            PreferenceGame(values, symmetrise=symmetrise), f"win rates on {len(values)} prompts"
        )
    if np.isinf(values).any():
        y, z = np.argwhere(np.isinf(values))[0] + 1
        raise ValueError(f"row {y} has {values[y - 1, z - 1]} in column {z}: every number must be finite.")
    Y = len(values)
    diagonal = np.eye(Y, dtype=bool)
    if names and (gaps := np.argwhere(np.isnan(values) & ~diagonal)).size:
        y, z = (names[i] for i in gaps[0])
        raise ValueError(f"row {y!r} has no number in column {z!r}: every pair needs one.")
    P, kind = _win_rates(values, diagonal)
    return Understood(PreferenceGame(P, labels=names, symmetrise=symmetrise), f"{Y} x {Y} {kind}")


def _win_rates(stored: Numbers, diagonal: Places) -> tuple[Numbers, str]:
    """P float[Y, Y] of a matrix of finite numbers and NaN, and what it was."""
    values = stored.astype(np.float64)
    allowed = max(SKEW_TOLERANCE, 4 * float(np.finfo(stored.dtype).eps))
    apart, there = values[~diagonal], values[diagonal & ~np.isnan(values)]
    if not apart.any() and not there.any():
        return np.full_like(values, 0.5), "matrix of 0, read as ties"
    empty = diagonal & (np.isnan(stored) | (not there.any()))
    plain = np.where(empty, stored.dtype.type(0.5), stored), "win rates"
    if not apart.size or np.isnan(apart).any():
        return plain
    with np.errstate(over="ignore"):
        total = (values + values.T)[~diagonal]
        even = np.isfinite(total[0]) and total.max() - total.min() <= allowed * total[0]
    if np.abs(total - 1).max() <= max(allowed, NEAR_ONE):
        return plain
    largest = float(np.abs(apart).max())
    if not there.any() and np.abs(total).max() <= allowed * largest:
        values = values / 2 - values.T / 2
        if largest <= 0.5:
            P, kind = 0.5 + values, "matrix A of P - 1/2"
        elif largest <= 1:
            P, kind = (1 + values) / 2, "payoffs A, read as P = (1 + A) / 2"
        else:
            P = (1 + values / largest) / 2
            kind = f"margins A, read as P = (1 + A / {_said(largest, stored)}) / 2"
    elif apart.min() >= 0 and total[0] > 0 and even and _halves(there, float(total[0]), allowed):
        with np.errstate(invalid="ignore"):
            P = values / (values + values.T)
        votes = _said(float(total[0]), stored)
        kind = f"support A of {votes} votes a pair, read as P = A / {votes}"
    elif apart.min() >= 0 and largest > 1:
        raise ValueError(
            f"it holds {largest:g}, and a win rate is at most 1: for counts of wins W save W / (W + W')."
        )
    else:
        return plain
    return np.where(diagonal, 0.5, P), kind


def _halves(there: NDArray[np.float64], total: float, allowed: float) -> bool:
    """Whether the diagonal is 0, or holds half of what both orders of a pair add up to."""
    return not there.any() or bool((np.abs(2 * there - total) <= allowed * total).all())


def _said(value: float, stored: Numbers) -> str:
    """The number to the digits that the type of the matrix has."""
    if value == round(value) and abs(value) < 1e15:
        return f"{value:.0f}"
    return f"{value:.{np.finfo(stored.dtype).precision}g}"


def _square(matrix: Matrix) -> tuple[Numbers, tuple[str, ...] | None]:
    """The matrix with rows in the order of the columns, and its names."""
    values, rows, columns = matrix
    if values.ndim not in (2, 3) or values.shape[-1] != values.shape[-2] or not values.size:
        shape = " x ".join(map(str, values.shape)) or "1"
        numbers = "number" if shape == "1" else "numbers"
        raise ValueError(f"it has {shape} {numbers}, and P must be square: is the file cut?")
    names = columns or rows
    for named in (rows, columns):
        if named and len(set(named)) < len(named):
            twice = next(name for name in named if named.count(name) > 1)
            raise ValueError(f"the name {twice!r} stands twice: name each row and column once.")
    if rows and columns and rows != columns:
        if set(rows) != set(columns):
            odd = next(name for name in (*rows, *columns) if (name in rows) != (name in columns))
            raise ValueError(f"rows and columns must have the same names: {odd!r} is only in one of them.")
        values = values[[rows.index(name) for name in columns]]
    return values, names
