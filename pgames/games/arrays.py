"""Tables as people have them: arrays, lists, tensors, and data frames with their names."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pgames.numerics import real


class Read(NamedTuple):
    """The numbers float64[...], the names of a frame, and the rounding of sums of two of its numbers."""

    table: NDArray[np.float64]
    names: list[str] | None
    rounding: float


def read_table(P: ArrayLike) -> Read:
    """The numbers float64[...] of an array, lists, a tensor or a data frame, with the names of a frame.

    The rows of a pandas frame are put in the order of its columns, where its index has the same names. A
    column of text, as polars has them, is that index. Raises ValueError when the names of rows and columns
    differ, or a value is no real number.
    """
    if hasattr(P, "columns") and hasattr(P, "to_numpy"):
        table, names = _read_frame(P)
        return Read(table, names, 0.0)
    if hasattr(P, "detach"):  # a tensor of torch, on any device
        return _read_tensor(P)
    return Read(real("P", P), None, _rounding(getattr(P, "dtype", None)))


def _rounding(kind: Any) -> float:
    """4 units in the last place of a type of numbers; 0 for whole numbers and types that are not NumPy's."""
    small = isinstance(kind, np.dtype) and kind.kind == "f"
    return 4 * float(np.finfo(kind).eps) if small else 0.0


def _read_tensor(tensor: Any) -> Read:
    tensor = tensor.detach().cpu()
    if "bfloat16" in str(tensor.dtype):  # which NumPy lacks
        return Read(real("P", tensor.float().numpy()), None, 4 * 2.0**-8)
    array = tensor.numpy()
    return Read(real("P", array), None, _rounding(array.dtype))


def _read_frame(frame: Any) -> tuple[NDArray[np.float64], list[str]]:
    names = [str(name) for name in frame.columns]
    rows = _row_names(frame)
    if rows is None and names:
        first = np.asarray(frame[frame.columns[0]].to_numpy())
        if first.dtype.kind in "OUST" and all(isinstance(value, str) for value in first.tolist()):
            rows, names = [str(value) for value in first], names[1:]
            frame = frame[list(frame.columns)[1:]]
    table = real("P", np.asarray(frame.to_numpy()))
    if rows is None or rows == names:
        return table, names
    if sorted(rows) != sorted(names) or len(set(rows)) < len(rows):
        odd = sorted(set(rows) ^ set(names)) or rows
        raise ValueError(
            f"the rows and columns of a frame must have the same names, {odd[0]!r} is not in both: pass "
            "frame.to_numpy() with labels=[...]."
        )
    return table[[rows.index(name) for name in names]], names


def _row_names(frame: Any) -> list[str] | None:
    """The index of a pandas frame; None for row numbers, and where there is no index."""
    index = getattr(frame, "index", None)
    if index is None or not hasattr(index, "tolist"):
        return None
    rows = index.tolist()
    return None if rows == list(range(len(rows))) else [str(name) for name in rows]
