"""Coded columns: the distinct texts of a piece of a column, and the place of each row among them.

A text is what the file says. `GAP` stands for a cell without a value: an empty one, null, None or NaN. `ODD`
stands for a value that is neither text nor a number: a list, an object, bytes that are not UTF-8.
"""

from __future__ import annotations

import math
import numbers
import re
from collections.abc import Callable, Iterable
from enum import Enum
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray


class Missing(Enum):
    """What a cell holds that has no text."""

    GAP = "no value"
    ODD = "a list or an object, or bytes that are not UTF-8,"


GAP, ODD = Missing.GAP, Missing.ODD
Text = str | Missing
MIDNIGHT = re.compile(r"(?<=:\d\d)\.0+$")  # the fraction of a second of a time, where it is 0


class Coded(NamedTuple):
    """A piece of a column: row n holds texts[codes[n]].

    codes : int32[N], in [0, len(texts)).
    texts : distinct values; two of them may be the same text.
    """

    codes: NDArray[np.int32]
    texts: list[Text]


def coded(values: Iterable[Any], text: Callable[[Any], Text]) -> Coded:
    """The column of hashable values, each of which `text` turns into its text."""
    places: dict[Any, int] = {}
    codes = [places.setdefault(value, len(places)) for value in values]
    return Coded(np.array(codes, dtype=np.int32), [text(value) for value in places])


def decoded(value: bytes) -> Text:
    """The text of bytes in UTF-8; ODD for other bytes."""
    try:
        return value.decode() or GAP
    except UnicodeDecodeError:
        return ODD


def text_of(value: object) -> Text:
    """The text of a Python or NumPy value: an int as its digits, a float as its shortest decimal.

    The same value has the same text in CSV, JSON and Parquet files as Python writes them.
    """
    if isinstance(value, str):
        return str(value) or GAP
    if value is None:
        return GAP
    if isinstance(value, bool | np.bool_):
        return str(bool(value))
    if isinstance(value, numbers.Integral):
        return str(int(value))
    if isinstance(value, float | np.floating):
        return GAP if math.isnan(value) else str(value)
    if isinstance(value, bytes):
        return decoded(value)
    if isinstance(value, list | tuple | dict | set | frozenset | np.ndarray | complex):
        return ODD
    if hasattr(value, "detach") and hasattr(value, "item"):  # a tensor of one number
        return text_of(value.item())  # pyright: ignore[reportAttributeAccessIssue]
    try:
        if value != value:  # NaT, and the NaN of other types
            return GAP
    except (TypeError, ValueError):  # pandas.NA is neither equal nor unequal to itself
        return GAP
    return MIDNIGHT.sub("", str(value)) or GAP
