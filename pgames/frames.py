"""Tables for other libraries: pandas or polars data frames through narwhals, and xarray data sets."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterable, Mapping
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from pgames.extras import need

Kind = Literal["pandas", "polars"]
KINDS = ("pandas", "polars")


def frame(columns: Mapping[str, ArrayLike], kind: Kind | None = None) -> Any:
    """A data frame of columns float64[N], or text, by name, of pandas or polars: the one that is installed.

    Raises ValueError for another kind, and ModuleNotFoundError when narwhals or both are missing.
    """
    if kind not in (None, *KINDS):
        raise ValueError(f"a frame is of 'pandas' or 'polars', got {kind!r}.")
    narwhals = need("narwhals", "frames")
    backend = kind or next((name for name in KINDS if importlib.util.find_spec(name) is not None), "pandas")
    need(backend, "frames")
    made = narwhals.from_dict({name: _column(values) for name, values in columns.items()}, backend=backend)
    return made.to_native()


def apart(names: Iterable[str], taken: Iterable[str], what: str) -> dict[str, str]:
    """A name for the column of each of `names`: its own, or "name (what)" where that is in `taken`."""
    used, found = set(taken), dict[str, str]()
    for name in names:
        own = name
        while own in used:
            own = f"{own} ({what})"
        found[name] = own
        used.add(own)
    return found


def dataset(
    arrays: Mapping[str, tuple[tuple[str, ...], ArrayLike]],
    coordinates: Mapping[str, tuple[tuple[str, ...], ArrayLike]],
    about: Mapping[str, Any],
) -> Any:
    """An xarray Dataset of arrays float64[...] and coordinates, each with the names of its dimensions.

    Raises ModuleNotFoundError when xarray is not installed.
    """
    known = {name: value for name, value in about.items() if value is not None}
    return need("xarray", "xarray").Dataset(dict(arrays), dict(coordinates), known)


def _column(values: ArrayLike) -> Any:
    """Numbers as an array, text as a list of str."""
    array = np.asarray(values)
    return array.tolist() if array.dtype.kind in "OU" else array
