"""The unregularised equilibrium of a zero-sum game of two players, whatever the sizes of its payoffs."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pgames.exact import rational
from pgames.exact.flat import Embedded
from pgames.exact.one_game import solve

Array = NDArray[np.float64]

EPS = float(np.finfo(np.float64).eps)
RESOLVED = 1e-12  # a gap of this share of the played payoffs is rounding
ENOUGH = 1e-9  # a larger share is an error
NOISE = 64 * EPS  # of the usual payoff, the rounding of large games whose played payoffs are 0 but for it
FLAT = 4  # times as many strategies on one side as on the other: a flat game
SMALL = 128  # strategies up to which the whole system is cheaper
LEVELS = 10.0 ** np.arange(2, 15, 2)  # multiples of the usual payoff at which larger ones are cut


class Found(NamedTuple):
    """Two strategies float64[m] and float64[n], row A column, and the gain of both best responses, >= 0."""

    row: Array
    column: Array
    value: float
    gap: float


def unregularised(payoff: Array) -> Found:
    """An equilibrium of payoffs float64[m, n], all finite: the centre where doubles resolve those played.

    Raises RuntimeError when the gap of a game of more than 1600 cells exceeds 1e-9 of the payoffs that are
    played. The value of a smaller game is exact, even where no pair of doubles holds it.
    """
    largest = float(np.abs(payoff).max())
    factor = 2.0**-16 if largest > 1e300 else 1.0  # differences of payoffs must not overflow
    payoff = payoff * factor
    found = measured(payoff, *centre(payoff))
    exactly = payoff.size <= rational.LARGEST
    noise = 0.0 if exactly else NOISE * float(np.quantile(np.abs(payoff), 0.75))
    if not found.gap <= RESOLVED * played(payoff, found) + noise:
        others = more_exact(payoff)
        found = min([found, *others], key=lambda one: relative(payoff, one))
        if exactly:  # rounding may make another pair the better one, but the value is known
            found = found._replace(value=others[0].value)
    if not exactly and not found.gap <= ENOUGH * played(payoff, found) + noise:
        share = relative(payoff, found)
        raise RuntimeError(
            f"no equilibrium to {ENOUGH:g} of the payoffs that are played: the best pair of doubles leaves "
            f"{share:.3g} of them, for the largest payoff is {largest:.3g}: leave out strategies that are "
            "never played, or cut payoffs of another size."
        )
    return found._replace(value=found.value / factor, gap=found.gap / factor)


def measured(payoff: Array, row: Array, column: Array) -> Found:
    """The pair float64[m], float64[n] with its value and gap."""
    gap = float((payoff @ column).max() - (row @ payoff).min())
    return Found(row, column, float(row @ payoff @ column), max(gap, 0.0))


def played(payoff: Array, found: Found) -> float:
    """The size of the payoffs float64[m, n] that are played: row |A| column, plus the smallest but 0."""
    size = np.abs(payoff)
    floor = size[size > 0].min(initial=np.inf)
    return float(found.row @ size @ found.column) + (float(floor) if np.isfinite(floor) else 0.0)


def relative(payoff: Array, found: Found) -> float:
    """The gap in units of the payoffs float64[m, n] that are played."""
    return found.gap / played(payoff, found) if found.gap > 0 else 0.0


def centre(payoff: Array) -> tuple[Array, Array]:
    """(float64[m], float64[n]): the centre of the equilibria, to the rounding of the largest payoff."""
    m, n = payoff.shape
    low, high = payoff.min(), payoff.max()
    B = (payoff - low) / ((high - low) or 1.0) + 1
    if max(m, n) > FLAT * min(m, n) and m + n > SMALL:
        row, column = _flat(B) if m < n else _flat(3 - B.T)[::-1]
        if float((B @ column).max() - (row @ B).min()) <= RESOLVED:
            return row, column
    return _split(
        solve(Embedded(B).block(np.ones(m + n + 1, dtype=bool)), _uniform(m + n + 1), 0.0, "centre")[0], m
    )


def _flat(B: Array) -> tuple[Array, Array]:
    """The centre for m < n and payoffs float64[m, n] in [1, 2]."""
    from pgames.exact.interior_point import follow_path

    game = Embedded(B / 2)
    end = follow_path(game, np.log(_uniform(len(game))), 0.0, EPS)
    return _split(end.x, len(B))


def _split(z: Array, m: int) -> tuple[Array, Array]:
    row, column = z[:m], z[m:-1]
    return row / (row.sum() or 1.0), column / (column.sum() or 1.0)


def _uniform(n: int) -> Array:
    return np.full(n, 1 / n)


def more_exact(payoff: Array) -> list[Found]:
    """Pairs of the game float64[m, n] found without, or in spite of, the rounding of the largest payoffs."""
    if payoff.size <= rational.LARGEST:
        row, column, value = rational.solve_exactly(payoff)
        return [measured(payoff, row, column)._replace(value=value)]
    middle = np.median(payoff)
    sizes = np.abs(payoff - middle)
    usual = float(np.median(sizes)) or float(sizes[sizes > 0].min(initial=1.0))
    found = []
    for level in LEVELS * usual:
        if level < sizes.max():
            row, column = centre(np.clip(payoff, middle - level, middle + level))
            if (pair := on_support(payoff, row > 0, column > 0)) is not None:
                found.append(measured(payoff, *pair))
    return found


def on_support(
    payoff: Array, rows: NDArray[np.bool_], columns: NDArray[np.bool_]
) -> tuple[Array, Array] | None:
    """(float64[m], float64[n]): the pair that makes these rows bool[m] and columns bool[n] indifferent.

    None if there is none.
    """
    if np.count_nonzero(rows) != np.count_nonzero(columns):
        return None
    B = payoff[np.ix_(rows, columns)]
    row, column = np.zeros(len(rows)), np.zeros(len(columns))
    with np.errstate(all="ignore"):
        row[rows], column[columns] = _indifferent(B.T), _indifferent(B)
    ok = all(np.isfinite(part).all() and part.min() >= 0 for part in (row, column))
    return (row / row.sum(), column / column.sum()) if ok else None


def _indifferent(B: Array) -> Array:
    """The y float64[k] of sum 1 with equal (B y)_i for B float64[k, k], by LU of the equilibrated system."""
    k = len(B)
    system = np.ones((k + 1, k + 1))
    system[:k, :k], system[k, k] = B, 0.0
    system[:k, k] = -np.median(np.abs(B)) or -1.0
    right = np.zeros(k + 1)
    right[k] = 1.0
    across, down = np.ones(k + 1), np.ones(k + 1)
    for _ in range(3):  # entries of size 1: the geometric means of rows and columns
        size = np.abs(system) * across[:, None] * down
        across /= np.sqrt(size.max(axis=1))
        down /= np.sqrt((np.abs(system) * across[:, None] * down).max(axis=0))
    scaled = system * across[:, None] * down
    try:
        solution = np.asarray(np.linalg.solve(scaled, across * right), dtype=np.float64)
        solution += np.linalg.solve(scaled, _residual(scaled, solution, across * right))
    except np.linalg.LinAlgError:
        return np.full(k, np.nan)
    return (down * solution)[:k]


def _residual(M: Array, x: Array, right: Array) -> Array:
    long = np.longdouble
    return np.asarray(right.astype(long) - M.astype(long) @ x.astype(long), dtype=np.float64)
