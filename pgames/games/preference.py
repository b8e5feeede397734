"""PreferenceGame: a table of preferences with a reference policy and weights of prompts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from pgames.games.arrays import read_table
from pgames.numerics import check_distribution, real, whole

TABLES = ("__array__", "to_numpy", "detach")  # a method that an array, a frame or a tensor has
SKEW_TOLERANCE = 1e-9  # largest |P + P' - 1| that counts as rounding


@dataclass(frozen=True, init=False, eq=False, repr=False)
class PreferenceGame:
    """A symmetric two-player game in which `P[x, y, z]` is the probability that response y beats z.

    Parameters
    ----------
    P : float64[X, Y, Y] or float64[Y, Y] (one prompt), in [0, 1], with P[x, y, z] + P[x, z, y] = 1: an array,
        lists, a tensor, or a data frame, whose names become the labels.
    reference : float64[X, Y] or float64[Y], a distribution over responses; uniform by default. A response
        with reference probability 0 is outside the game of that prompt, so prompts may differ in size.
    prompt_weights : float64[X], a distribution over prompts; uniform by default.
    labels : Y names, one per response.
    symmetrise : replace P by (P + 1 - P') / 2 instead of refusing a table that is not antisymmetric.

    The attribute `skew` = P - 1/2, which every algorithm reads, is exactly antisymmetric.

    Raises ValueError, naming the value found and the remedy, when the table is not a preference game.
    """

    P: NDArray[np.float64]
    reference: NDArray[np.float64]
    prompt_weights: NDArray[np.float64]
    labels: tuple[str, ...]
    skew: NDArray[np.float64] = field(repr=False)

    def __init__(
        self,
        P: ArrayLike,
        reference: ArrayLike | None = None,
        prompt_weights: ArrayLike | None = None,
        labels: Sequence[str] | None = None,
        *,
        symmetrise: bool = False,
    ):
        table, names, rounding = read_table(P)
        table = _preference_table(table)
        skew = _antisymmetric(table, symmetrise, max(SKEW_TOLERANCE, rounding))
        prompts, responses = table.shape[:2]
        for name, value in {
            "P": _frozen(skew + 0.5),
            "skew": _frozen(skew),
            "reference": _frozen(_distributions("reference", reference, prompts, responses)),
            "prompt_weights": _frozen(_distributions("prompt_weights", prompt_weights, 1, prompts)[0]),
            "labels": _labels(names if labels is None else labels, responses),
        }.items():
            object.__setattr__(self, name, value)

    @property
    def prompts(self) -> int:
        """Number of prompts X."""
        return self.P.shape[0]

    @property
    def responses(self) -> int:
        """Number of responses Y (the largest, when prompts differ)."""
        return self.P.shape[1]

    @property
    def support(self) -> NDArray[np.bool_]:
        """bool[X, Y]: the responses that are in the game, those with reference probability > 0."""
        return self.reference > 0

    def with_reference(self, reference: ArrayLike) -> PreferenceGame:
        """The same preferences, regularised to another policy `float64[X, Y]`."""
        return PreferenceGame(self.P, reference, self.prompt_weights, self.labels)

    def prompt(self, x: int) -> PreferenceGame:
        """The game of one prompt, x in [-X, X). Raises ValueError when there is no such prompt."""
        if not whole(x) or not -self.prompts <= x < self.prompts:
            raise ValueError(f"prompts are numbered 0 to {self.prompts - 1}, got {x!r:.60}.")
        return PreferenceGame(self.P[x], self.reference[x], None, self.labels)

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> NDArray[Any]:
        """P, float64[X, Y, Y], so that NumPy functions take a game. Raises ValueError when copy is False."""
        if copy is False and dtype not in (None, np.float64):
            raise ValueError(f"P is float64, so an array of {dtype} is a copy: leave copy out.")
        return np.array(self.P, dtype=dtype, copy=bool(copy) or dtype is not None)

    def __repr__(self) -> str:
        return f"PreferenceGame(prompts={self.prompts}, responses={self.responses})"


def as_game(game: PreferenceGame | ArrayLike) -> PreferenceGame:
    """The game itself, or the game of a table P float64[Y, Y] or [X, Y, Y]: arrays, lists, tensors, frames.

    Raises TypeError when it is neither, and ValueError when the table is not a preference game.
    """
    if isinstance(game, PreferenceGame):
        return game
    if hasattr(game, "to_game"):
        raise TypeError(
            f"a game is needed, got {type(game).__name__}: pass pgames.estimate(votes), the game of "
            "their win rates."
        )
    readable = isinstance(game, list | tuple) or any(hasattr(game, name) for name in TABLES)
    if readable and not isinstance(game, type):
        return PreferenceGame(game)
    raise TypeError(
        f"game must be a PreferenceGame or a table P[y, z] of win rates, got {type(game).__name__}: pass "
        "PreferenceGame(P)."
    )


def _preference_table(P: NDArray[np.float64]) -> NDArray[np.float64]:
    table = P
    if table.ndim == 2:
        table = table[None]
    if table.ndim != 3 or table.shape[1] != table.shape[2] or 0 in table.shape:
        raise ValueError(f"P must have shape [X, Y, Y] or [Y, Y], got {np.shape(P)}.")
    low, high = table.min(), table.max()
    if np.isnan(low):
        x, y, z = np.argwhere(np.isnan(table))[0]
        raise ValueError(
            f"P[{x}, {y}, {z}] is NaN: every pair needs a probability; for unseen pairs use "
            "Comparisons.to_game, which fills them."
        )
    if low < 0 or high > 1:
        x, y, z = np.unravel_index(np.argmin(table) if low < 0 else np.argmax(table), table.shape)
        raise ValueError(
            f"P must lie in [0, 1], got P[{x}, {y}, {z}] = {table[x, y, z]:.6g}. {_remedy(table)}"
        )
    return table


def _remedy(table: NDArray[np.float64]) -> str:
    """What a table with entries outside [0, 1] may be, and what to pass instead."""
    size = float(np.abs(table).max())
    if not np.isfinite(size):
        return "An infinite entry is not a probability that the row beats the column."
    with np.errstate(over="ignore"):
        pairs = table + np.swapaxes(table, -1, -2)
    payoffs = np.abs(pairs).max() <= 1e-9 * size
    if payoffs and size <= 0.5:
        return "For A = P - 1/2 pass 1/2 + A; for payoffs A in [-1, 1] pass (1 + A) / 2."
    if payoffs and size <= 1:
        return "For payoffs A in [-1, 1] pass (1 + A) / 2."
    if payoffs:
        return f"For payoffs or margins A pass (1 + A / {size:.6g}) / 2; for log-odds, 1 / (1 + exp(-A))."
    total = float(pairs.max())
    if np.isfinite(total) and table.min() >= 0 and pairs.min() >= total * (1 - 1e-9):
        return f"Both orders add up to {total:g}: pass P / {total:g}."
    return "Entries are probabilities that the row beats the column; for counts of wins W pass W / (W + W')."


def _antisymmetric(table: NDArray[np.float64], symmetrise: bool, allowed: float) -> NDArray[np.float64]:
    """(P - P') / 2, antisymmetric in floating point. Raises ValueError when the table is too far from it."""
    skew = np.empty_like(table)
    for x in range(len(table)):  # one prompt at a time keeps the temporaries at Y x Y
        np.subtract(table[x], table[x].T, out=skew[x])
        skew[x] *= 0.5
        if symmetrise:
            continue
        error = np.abs(table[x] - 0.5 - skew[x])
        worst = int(np.argmax(error))
        if 2 * error.flat[worst] > allowed:
            y, z = divmod(worst, table.shape[1])
            raise ValueError(
                f"P + P' must be 1: P[{x}, {y}, {z}] + P[{x}, {z}, {y}] = "
                f"{table[x, y, z] + table[x, z, y]:.12g} (off by {2 * error.flat[worst]:.2g}, allowed "
                f"{allowed:.2g}). Pass symmetrise=True (--symmetrise) to use (P + 1 - P') / 2."
            )
    return skew


def _distributions(name: str, values: ArrayLike | None, rows: int, columns: int) -> NDArray[np.float64]:
    """float64[rows, columns], each row a distribution; uniform when None; one row is repeated."""
    if values is None:
        return np.full((rows, columns), 1.0 / columns)
    table = np.atleast_2d(real(name, values))
    if table.shape == (1, columns):
        table = np.repeat(table, rows, axis=0)
    if table.shape != (rows, columns):
        raise ValueError(f"{name} must have shape [{rows}, {columns}], got {np.shape(values)}.")
    return table / check_distribution(name, table)


def _labels(labels: Sequence[str] | None, responses: int) -> tuple[str, ...]:
    if labels is None:
        return tuple(str(y) for y in range(responses))
    try:
        names = () if isinstance(labels, str | bytes | set) else tuple(map(_label, labels))
    except TypeError:  # such as an array without a dimension
        names = ()
    if not names:
        raise ValueError(f"labels must be a list of {responses} names, got {labels!r:.60}.")
    gaps = ("None", "nan", "<NA>")
    if any(not isinstance(given, str) and str(given) in gaps for given in labels):
        raise ValueError("labels must be names, and one of them is missing (None or NaN): name every one.")
    if len(names) != responses:
        raise ValueError(f"labels must name each of the {responses} responses, got {len(names)} names.")
    if len(set(names)) < responses:
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"labels must be different names, got {twice!r:.60} twice.")
    return names


def _label(name: object) -> str:
    return name.decode(errors="backslashreplace") if isinstance(name, bytes) else str(name)


def _frozen(values: NDArray[np.float64]) -> NDArray[np.float64]:
    values = np.ascontiguousarray(values)
    values.setflags(write=False)
    return values
