"""The part of a curve that figures read. `pgames.curves.Curve` has it, and draws itself with them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


class Spread(Protocol):
    """Statistics over runs at R recorded rounds, float64[R] each."""

    @property
    def mean(self) -> Array:
        """The mean over runs, float64[R]."""
        ...

    @property
    def low(self) -> Array:
        """The lower end of the bootstrap interval of the mean, float64[R]."""
        ...

    @property
    def high(self) -> Array:
        """The upper end of the bootstrap interval of the mean, float64[R]."""
        ...

    @property
    def median(self) -> Array:
        """The median over runs, float64[R]."""
        ...

    @property
    def tail(self) -> float:
        """mean / median at the end."""
        ...


class Played(Protocol):
    """The arena of runs, as far as bounds depend on it; the fields are those of `pgames.curves.Setting`."""

    @property
    def arena(self) -> str: ...

    @property
    def regulariser(self) -> str: ...

    @property
    def samples(self) -> int | None: ...

    @property
    def anchored(self) -> bool: ...


class Recorded(Protocol):
    """Quantities of S runs at R recorded rounds."""

    @property
    def solver(self) -> str:
        """repr of the solver."""
        ...

    @property
    def rounds(self) -> NDArray[np.int64]:
        """The recorded rounds, int64[R]."""
        ...

    @property
    def values(self) -> Mapping[str, Array]:
        """name -> float64[S, R, ...]."""
        ...

    @property
    def bits(self) -> NDArray[np.int64] | None:
        """Judgements asked for by one run, int64[R]; None where they are not counted."""
        ...

    @property
    def seeds(self) -> int:
        """The number of runs S."""
        ...

    @property
    def tau(self) -> float | None:
        """The tau of the regret; None where every metric has its own."""
        ...

    @property
    def setting(self) -> Played | None:
        """The arena of the runs; None where it is not known."""
        ...

    def recorded(self, name: str) -> Array:
        """The quantity of that name, float64[S, R, ...]."""
        ...

    def only(self, name: str) -> Recorded:
        """The curve of one quantity alone."""
        ...

    def summary(self) -> Spread:
        """Statistics of the first quantity over runs."""
        ...
