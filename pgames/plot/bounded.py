"""What a figure reads of a bound, such as those of `pgames.bounds`."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray


class Bound(Protocol):
    """A bound on a quantity after float64[R] rounds; the fields are those of `pgames.bounds.Bound`."""

    @property
    def name(self) -> str: ...

    @property
    def quantity(self) -> str: ...

    @property
    def status(self) -> str: ...

    @property
    def side(self) -> str: ...

    @property
    def tau(self) -> float | None: ...

    @property
    def regulariser(self) -> str | None: ...

    @property
    def exact(self) -> bool: ...

    def __call__(self, rounds: ArrayLike, /) -> NDArray[np.float64]:
        """The bound after float64[R] rounds."""
        ...
