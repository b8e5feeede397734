"""Tables as people have them: arrays, lists, tensors, and data frames with their names."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pgames.numerics import real


class Read(NamedTuple):
    """The numbers float64[...], the names of a frame, and the rounding of sums of two of its numbers."""

    table: NDArray[np.float64]
    names: list[str] | None
    rounding: float


def read_table(P: Any) -> Read:
    """The numbers float64[...] of an array, lists, a tensor or a data frame, with the names of a frame.

    The rows of a frame of pandas or an array of xarray are put in the order of its columns, where its index
    has the same names. A first column of text, as polars and pyarrow have it, is that index.

    Raises ValueError when the names of rows and columns differ, or a value is not a real number.
    """
    if hasattr(P, "to_numpy") and hasattr(P, "columns"):
        return Read(*_read_frame(P), _rounding_of(getattr(P, "dtypes", ())))
    if hasattr(P, "column_names") and hasattr(P, "to_pydict"):  # a table of pyarrow
        return Read(*_read_columns(P), _rounding_of(P.schema.types))
    if hasattr(P, "dims") and hasattr(P, "coords"):  # an array of xarray
        return _read_labelled(P)
    if hasattr(P, "detach"):  # a tensor of torch, on any device
        return _read_tensor(P)
    return Read(real("P", P), None, _rounding(getattr(_first(P), "dtype", None)))


def _first(P: Any) -> Any:
    """The first array or number in lists of them; P itself where it is not a list."""
    while isinstance(P, list | tuple) and P:
        P = P[0]
    return P


def _rounding(kind: Any) -> float:
    """4 units in the last place of a type of numbers; 0 for whole numbers and types that are not NumPy's."""
    small = isinstance(kind, np.dtype) and kind.kind == "f"
    return 4 * float(np.finfo(kind.newbyteorder("=")).eps) if small else 0.0


SMALL = {
    "float16": "f2",
    "halffloat": "f2",
    "float32": "f4",
    "float": "f4",
}  # types of columns, by their names


def _rounding_of(kinds: Iterable[Any]) -> float:
    """4 units in the last place of the shortest type of column: of pandas, polars or pyarrow."""
    names = [str(kind).lower().partition("[")[0] for kind in kinds]
    return max((_rounding(np.dtype(SMALL[name])) for name in names if name in SMALL), default=0.0)


def _read_tensor(tensor: Any) -> Read:
    if tensor.is_meta:
        raise ValueError("P must be a table of real numbers, and a tensor on the device meta has none.")
    tensor = tensor.detach().cpu()
    if "strided" not in str(tensor.layout):  # sparse
        tensor = tensor.to_dense()
    if "bfloat16" in str(tensor.dtype):  # which NumPy lacks
        return Read(real("P", tensor.float().numpy()), None, 4 * 2.0**-8)
    array = tensor.numpy()
    return Read(real("P", array), None, _rounding(array.dtype))


def _read_frame(frame: Any) -> tuple[NDArray[np.float64], list[str]]:
    names = [str(name) for name in frame.columns]
    rows = _row_names(frame, names)
    if rows is None and names and (first := _texts(frame[frame.columns[0]])) is not None:
        rows, names = first, names[1:]
        frame = frame[list(frame.columns)[1:]]
    cells = frame.to_numpy(na_value=np.nan) if hasattr(frame, "isna") else frame.to_numpy()
    return _in_order(real("P", np.asarray(cells)), rows, names)


def _read_columns(table: Any) -> tuple[NDArray[np.float64], list[str]]:
    """The numbers and names of a table of pyarrow."""
    names, columns, rows = list(table.column_names), list(table.columns), None
    if columns and (first := _texts(columns[0])) is not None:
        rows, names, columns = first, names[1:], columns[1:]
    cells = [column.to_numpy() for column in columns]
    return _in_order(real("P", np.stack(cells, axis=1) if cells else cells), rows, names)


def _read_labelled(array: Any) -> Read:
    """The numbers and names of an array of xarray, whose last dimensions are rows and columns."""
    table, rounding = real("P", array.values), _rounding(array.dtype)
    found = [array.coords[dim].values.tolist() if dim in array.coords else None for dim in array.dims[-2:]]
    if len(found) < 2:
        return Read(table, None, rounding)
    columns = None if found[1] is None else [str(name) for name in found[1]]
    rows = _names(found[0], columns or [])
    if columns is None:
        return Read(table, rows, rounding)
    return Read(*_in_order(table, rows, columns), rounding)


def _texts(column: Any) -> list[str] | None:
    """The texts of a column that holds nothing else."""
    values = np.asarray(column.to_numpy())
    if values.dtype.kind in "OUST" and all(isinstance(value, str) for value in values.tolist()):
        return [str(value) for value in values]
    return None


def _in_order(
    table: NDArray[np.float64], rows: list[str] | None, names: list[str]
) -> tuple[NDArray[np.float64], list[str]]:
    """The table float64[..., Y, Y] with its rows in the order of its columns, and their names.

    Raises ValueError when rows and columns differ in their names.
    """
    if rows is None or rows == names:
        return table, names
    if sorted(rows) != sorted(names) or len(set(rows)) < len(rows):
        odd = sorted(set(rows) ^ set(names)) or rows
        raise ValueError(
            f"the rows and columns of a frame must have the same names, {odd[0]!r} is not in both: pass "
            "frame.to_numpy() with labels=[...]."
        )
    return table[..., [rows.index(name) for name in names], :], names


def _row_names(frame: Any, columns: list[str]) -> list[str] | None:
    """The index of a pandas frame; None for row numbers, and where there is no index."""
    index = getattr(frame, "index", None)
    return None if index is None or not hasattr(index, "tolist") else _names(index.tolist(), columns)


def _names(index: list[Any] | None, columns: list[str]) -> list[str] | None:
    """The names of an index; None for numbers of rows, unless the columns have the same numbers."""
    if index is None:
        return None
    names = [str(name) for name in index]
    return None if index == list(range(len(index))) and set(names) != set(columns) else names
