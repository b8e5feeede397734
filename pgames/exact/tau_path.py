"""TauPath: the equilibria of a game along tau, and the values of tau at which responses enter or leave."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pgames.games.preference import PreferenceGame
from pgames.numerics import number, real, whole
from pgames.regularisers.contract import Regulariser

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Array = NDArray[np.float64]

PLAYED = 1e-3  # the probability above which a response counts as played, by default
LEAST = 1e-9  # the smallest tau at which a change between a tau and 0 is located


class Change(NamedTuple):
    """A response that is played below `tau` and not above it (`enters` as tau falls), or the reverse."""

    tau: float
    prompt: int
    label: str
    enters: bool


class Solved(Protocol):
    """An equilibrium with its policy, probabilities float64[X, Y]."""

    @property
    def policy(self) -> Array: ...


@dataclass(frozen=True, eq=False, repr=False)
class TauPath:
    """The equilibria of one game along tau: what `nash(game, tau=[...])` returns.

    tau : float64[T], in the order in which they were given.
    policy : float64[T, X, Y], probabilities.
    exploitability, residual : float64[T], the certificates of each equilibrium.
    regulariser : the divergence that tau weighs.
    at : the equilibrium at another tau, `at(0.05)`.
    """

    game: PreferenceGame
    tau: Array
    policy: Array
    exploitability: Array
    residual: Array
    regulariser: Regulariser
    at: Callable[[float], Solved]

    @property
    def labels(self) -> tuple[str, ...]:
        """The names of the Y responses."""
        return self.game.labels

    def __len__(self) -> int:
        return len(self.tau)

    def __repr__(self) -> str:
        return (
            f"TauPath(tau={self.tau.min():g}..{self.tau.max():g}, points={len(self)}, "
            f"prompts={self.game.prompts}, responses={self.game.responses}, {self.regulariser.name})"
        )

    def played(self, above: float = PLAYED) -> NDArray[np.bool_]:
        """bool[T, X, Y]: the responses with a probability above `above`.

        With KL every response of the reference is played at tau > 0, so a support is one of a threshold. With
        L2, ChiSquare() and Tsallis above q = 1, `above=0` gives the exact support. Raises ValueError unless
        above is in [0, 1).
        """
        if not 0 <= number(above) < 1:
            raise ValueError(f"above must be in [0, 1), got {above!r:.60}.")
        return self.policy > above

    def changes(self, above: float = PLAYED, precision: float = 1e-6) -> list[Change]:
        """The taus at which a response crosses the probability `above`, from the largest tau down.

        Each change between two neighbouring taus is located by bisection to a relative `precision`; two
        changes of one response between neighbours cancel and are not seen. Raises ValueError unless
        precision is in (0, 1) and above in [0, 1).
        """
        found = crossings(self.tau, self.policy, lambda tau: self.at(tau).policy, above, precision)
        return [Change(tau, x, self.labels[y], enters) for tau, (x, y), enters in found]

    def plot(self, prompt: int = 0, *, above: float = PLAYED, ax: Axes | None = None) -> Figure:
        """The probability of each response along tau, with a line where a response enters or leaves.

        Draws on `ax` when one is given. Raises IndexError for a prompt that does not exist.
        """
        from pgames.plot.paths import tau_path

        X = self.policy.shape[1]
        if not whole(prompt) or not -X <= prompt < X:
            raise IndexError(f"prompts are numbered 0 to {X - 1}, got {prompt!r:.60}.")
        x = int(prompt) % X
        changes = [(one.tau, one.label, one.enters) for one in self.changes(above) if one.prompt == x]
        return tau_path(self.tau, self.policy[:, x], self.labels, changes, ax=ax)


def crossings(
    tau: Array, p: Array, at: Callable[[float], Array], above: float, precision: float, least: float = LEAST
) -> list[tuple[float, tuple[int, ...], bool]]:
    """(tau, index, enters as tau falls) of each entry of p that crosses `above`, the largest tau first.

    tau float64[T]; p float64[T, ...], the probabilities at these taus; `at(tau)` : at another, float64[...].
    Between a tau and 0, crossings are located down to `least`. Raises ValueError unless precision is in
    (0, 1) and above in [0, 1).
    """
    if not (0 < number(precision) < 1 and 0 <= number(above) < 1):
        raise ValueError(
            f"precision must be in (0, 1) and above in [0, 1), got {precision!r:.60} and {above!r:.60}."
        )
    order = np.argsort(-tau, kind="stable")
    played = p[order] > above
    found = []
    for i, *place in np.argwhere(played[1:] != played[:-1]).tolist():
        index = tuple(place)
        high, low, enters = float(tau[order[i]]), float(tau[order[i + 1]]), bool(played[(i + 1, *index)])

        def plays(one: float, index: tuple[int, ...] = index) -> bool:
            return bool(at(one)[index] > above)

        floor = min(high * precision, least) if low == 0 else low
        jumps = low == 0 and plays(floor) != enters
        found.append((0.0 if jumps else bisect(plays, high, floor, enters, precision), index, enters))
    return sorted(found, key=lambda one: -one[0])


def bisect(plays: Callable[[float], bool], high: float, low: float, enters: bool, precision: float) -> float:
    """The tau in [low, high] at which `plays` changes, on a log scale; `plays(low)` is `enters`."""
    while high > low * (1 + precision):
        middle = math.sqrt(high * low)
        if plays(middle) == enters:
            low = middle
        else:
            high = middle
    return math.sqrt(high * low)


def check_path(tau: ArrayLike) -> Array:
    """The taus as float64[T].

    Raises ValueError when they are not one row of at least one number, each finite, at least 0 and different.
    """
    taus = real("tau", tau)
    if taus.ndim != 1 or taus.size == 0:
        raise ValueError(f"tau must be one number or one row of them, got shape {list(taus.shape)}.")
    if not (np.isfinite(taus) & (taus >= 0)).all():
        worst = taus[~(np.isfinite(taus) & (taus >= 0))][0]
        raise ValueError(
            f"every tau must be finite and at least 0, got {worst}: 0 is the unregularised game."
        )
    if len(np.unique(taus)) < len(taus):
        raise ValueError(f"the taus of a path must differ, got {len(taus) - len(np.unique(taus))} repeated.")
    return taus
