"""The members of an arena that its beliefs read: `DuelArena` has them."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from pgames.arena import Mixing
from pgames.table.arena import Policy


class Duelled(Mixing[Policy], Protocol):
    """A table whose duels a belief is made of."""

    @property
    def round(self) -> int:
        """The round t in which the belief is formed; widths grow with log(1 + t)."""
        ...

    @property
    def prompts(self) -> int:
        """The number of prompts X."""
        ...

    @property
    def responses(self) -> int:
        """The number of responses Y."""
        ...

    @property
    def support(self) -> NDArray[np.bool_]:
        """The responses in the game, bool[X, Y]."""
        ...


class Featured(Duelled, Protocol):
    """A table whose policies are log-linear in features."""

    @property
    def features(self) -> NDArray[np.float64]:
        """float64[X, Y, D]."""
        ...
