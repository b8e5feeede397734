"""ZeroSumPath: the equilibria of a zero-sum game of two players along tau."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from pgames.exact.tau_path import PLAYED, crossings

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Array = NDArray[np.float64]
Player = Literal["row", "column"]

LEAST = 1e-7  # of the range of payoffs: the smallest tau at which a change between a tau and 0 is located

DRAWN = 1e-3  # the relative precision of a change in a figure


class StrategyChange(NamedTuple):
    """A strategy that is played below `tau` and not above it (`enters` as tau falls), or the reverse."""

    tau: float
    player: Player
    strategy: int
    enters: bool


class SolvedPair(Protocol):
    """An equilibrium with its strategies, float64[m] and float64[n]."""

    @property
    def row(self) -> Array:
        """float64[m], probabilities."""
        ...

    @property
    def column(self) -> Array:
        """float64[n], probabilities."""
        ...


@dataclass(frozen=True, eq=False, repr=False)
class ZeroSumPath:
    """The equilibria of a game of two players along tau: what `nash_zero_sum(A, tau=[...])` returns.

    A : float64[m, n], the payoffs.
    tau : float64[T], in the order in which they were given, each for both players.
    row, column : float64[T, m] and float64[T, n], probabilities.
    value : float64[T], row A column.
    exploitability : float64[T], the certificate of each equilibrium.
    at : the equilibrium at another tau, `at(0.05)`.
    """

    A: Array
    tau: Array
    row: Array
    column: Array
    value: Array
    exploitability: Array
    at: Callable[[float], SolvedPair]

    def __len__(self) -> int:
        return len(self.tau)

    def __repr__(self) -> str:
        first, last = np.argmin(self.tau), np.argmax(self.tau)
        return (
            f"ZeroSumPath(tau={self.tau[first]:g}..{self.tau[last]:g}, points={len(self)}, "
            f"rows={self.A.shape[0]}, columns={self.A.shape[1]}, "
            f"value={self.value[first]:.4g}..{self.value[last]:.4g}, "
            f"exploitability at most {self.exploitability.max():.2g})"
        )

    def changes(self, above: float = PLAYED, precision: float = 1e-6) -> list[StrategyChange]:
        """The taus at which a strategy crosses the probability `above`, from the largest tau down.

        Each change between two neighbouring taus is located by bisection to a relative `precision`, as in
        `TauPath.changes`. Raises ValueError unless precision is in (0, 1) and above in [0, 1).
        """
        m = self.row.shape[1]

        def both(tau: float) -> Array:
            found = self.at(tau)
            return np.concatenate([found.row, found.column])

        least = LEAST * (float(np.ptp(self.A / 2)) or 1.0)
        p = np.concatenate([self.row, self.column], axis=1)
        return [
            StrategyChange(tau, "row" if i < m else "column", i if i < m else i - m, enters)
            for tau, (i,), enters in crossings(self.tau, p, both, above, precision, least)
        ]

    def plot(self, player: Player = "row", *, above: float = PLAYED, ax: Axes | None = None) -> Figure:
        """The probability of each strategy of a player along tau, with a line where one enters or leaves.

        Draws on `ax` when one is given. Raises ValueError unless `player` is "row" or "column".
        """
        from pgames.plot.paths import tau_path

        if player not in ("row", "column"):
            raise ValueError(f'player must be "row" or "column", got {player!r}.')
        p = self.row if player == "row" else self.column
        labels = [f"{player} {i}" for i in range(p.shape[1])]
        changes = [
            (one.tau, labels[one.strategy], one.enters) for one in self.changes(above) if one.player == player
        ]
        return tau_path(self.tau, p, labels, changes, ax=ax)
