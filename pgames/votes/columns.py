"""Integer columns of votes: their checks and their tallies."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pgames.kernels.blocks import njit
from pgames.rows.coded import GAP, ODD, text_of

MOST_UNNAMED = 2**20  # numbers of items or prompts that need no names, whatever the votes


def integer_column(name: str, values: ArrayLike, dtype: type) -> NDArray:
    """A read-only contiguous column dtype[N].

    Raises ValueError when the values are not one-dimensional integers, or do not fit in `dtype`.
    """
    try:
        column = np.asarray(values)
        said = f"shape {column.shape} of {column.dtype}"
    except ValueError:  # rows of different lengths
        column, said = np.empty((0, 0)), f"{values!r:.40}"
    if column.ndim != 1 or not (np.issubdtype(column.dtype, np.integer) or column.size == 0):
        raise ValueError(
            f"{name} must be one-dimensional integers, got {said}; use Comparisons.from_names for names."
        )
    if column.dtype != dtype:
        narrow = column.astype(dtype)
        if not np.array_equal(narrow, column):
            row = int(np.argmax(narrow != column))
            raise ValueError(f"{name} in row {row + 1} does not fit in {dtype.__name__}: {column[row]}.")
        column = narrow
    elif column.flags.writeable:
        column = column.copy()
    column = np.ascontiguousarray(column)
    column.setflags(write=False)
    return column


def distinct_names(kind: str, names: Sequence[str] | None, needed: int, votes: int) -> tuple[str, ...]:
    """At least `needed` different names; the numbers themselves when `names` is None.

    Raises ValueError when there are fewer names, when a name occurs twice or is a gap, or when numbers
    without names are far more than the votes.
    """
    if names is None:
        if needed > max(MOST_UNNAMED, 4 * votes):
            raise ValueError(
                f"{kind} go up to number {needed - 1} in {votes} votes: number them from 0, or use "
                "Comparisons.from_names."
            )
        return tuple(str(i) for i in range(needed))
    if not isinstance(names, Iterable) or isinstance(names, str | bytes):
        raise ValueError(f"{kind} must be a list of names, got {names!r:.60}.")
    texts = [name if isinstance(name, str) else text_of(name) for name in names]
    if GAP in texts:
        raise ValueError(f"{kind} must be names, and one of them is missing (None or NaN): name every one.")
    if ODD in texts:
        raise ValueError(f"{kind} must be names, got {ODD.value} in {names!r:.60}.")
    names = tuple(map(str, texts))
    if len(names) < needed:
        raise ValueError(f"{kind} has {len(names)} names, but the votes go up to number {needed - 1}.")
    if len(set(names)) < len(names):
        twice = next(name for i, name in enumerate(names) if name in names[:i])
        raise ValueError(f"{kind} must be different names, got {twice!r} twice.")
    return names


def fault(row: int, left: int, right: int, winner: int, prompt: int) -> str:
    """The reason why a row is not a vote, in one line."""
    if left == right:
        return f"row {row + 1} compares item {left} with itself: drop it."
    if not -1 <= winner <= 1:
        return f"winner in row {row + 1} must be +1 (left), 0 (tie) or -1 (right), got {winner}."
    return f"row {row + 1} has a negative number: left {left}, right {right}, prompt {prompt}."


@njit
def first_bad_row(left, right, winner, prompt):
    """(first row that is not a vote, or -1; the largest item; the largest prompt)."""
    item = np.int32(-1)
    context = np.int32(-1)
    lowest = np.int32(0)
    wrong = 0
    for n in range(left.size):
        item = max(item, left[n], right[n])
        context = max(context, prompt[n])
        lowest = min(lowest, left[n], right[n], prompt[n])
        wrong += (left[n] == right[n]) | (winner[n] > 1) | (winner[n] < -1)
    if wrong == 0 and lowest >= 0:
        return -1, item, context
    for n in range(left.size):
        if left[n] == right[n] or abs(winner[n]) > 1 or min(left[n], right[n], prompt[n]) < 0:
            return n, item, context
    return -1, item, context


@njit
def tally(left, right, winner, Y):
    """int32[3, Y, Y]: the number of votes on (left, right) with winner -1, 0, +1."""
    out = np.zeros((3, Y, Y), dtype=np.int32)
    for n in range(left.size):
        out[winner[n] + 1, left[n], right[n]] += 1
    return out


@njit
def tally_by_prompt(left, right, winner, prompt, X, Y):
    """int32[X, 3, Y, Y]: the `tally` of each prompt."""
    out = np.zeros((X, 3, Y, Y), dtype=np.int32)
    for n in range(left.size):
        out[prompt[n], winner[n] + 1, left[n], right[n]] += 1
    return out
