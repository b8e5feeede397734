"""Columns of numbers that grow piece by piece, without keeping the pieces."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pgames.votes.settling import look_up


class Growing:
    """A column of integers of unknown length; `room` numbers fit before it is first copied."""

    def __init__(self, dtype: type, room: int):
        self._values = np.empty(room, dtype)
        self._rows = 0

    @property
    def values(self) -> NDArray:
        """The numbers so far, int32[N] or int8[N]."""
        return self._values[: self._rows]

    def add(self, codes: NDArray[np.int32], table: NDArray[np.int32]) -> None:
        """Append table[codes] for int32[N] codes."""
        rows = self._rows + codes.size
        dtype = self._values.dtype
        if table.size and table.max() > np.iinfo(dtype).max:
            dtype = np.dtype(np.int32)
        if rows > self._values.size or dtype != self._values.dtype:
            more = np.empty(max(rows, 2 * self._rows, self._values.size), dtype)
            more[: self._rows] = self.values
            self._values = more
        look_up(codes, table, self._values[self._rows : rows])
        self._rows = rows
