"""The equilibrium of a zero-sum game of two players with their own strategies."""

from __future__ import annotations

import functools
from typing import Any, NamedTuple, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pgames.exact import shown
from pgames.exact.newton import FLAT
from pgames.exact.pair_path import ZeroSumPath
from pgames.exact.regularised_pair import regularised_pair
from pgames.exact.tau_path import check_path
from pgames.exact.unregularised_pair import ENOUGH, Found, played, unregularised
from pgames.frames import Kind, frame
from pgames.numerics import check_distribution, kl_to_logs, normalise, real

Array = NDArray[np.float64]

LEAST = 1e-17  # the smallest tau, in units of the largest payoff


class ZeroSumEquilibrium(NamedTuple):
    """Both strategies, the value row A column, and their exploitability.

    row, column : float64[m] and float64[n], probabilities.
    exploitability : the sum of what both best responses gain, in units of A: 0 at an equilibrium. At tau = 0
        it is max_i (A column)_i - min_j (row A)_j. It is never negative.
    """

    row: Array
    column: Array
    value: float
    exploitability: float

    def __repr__(self) -> str:
        return shown.pair_line(self.row, self.column, self.value, self.exploitability)

    def _repr_html_(self) -> str:
        return shown.pair_html(repr(self), self.row, self.column)

    def to_frame(self, kind: Kind | None = None) -> Any:
        """A data frame of player, strategy and probability, of pandas or polars as installed.

        Raises ValueError for another kind, and ModuleNotFoundError when narwhals or the library is missing.
        """
        return frame(shown.pair_columns(self.row, self.column), kind)


@overload
def nash_zero_sum(
    A: ArrayLike,
    tau: float | tuple[float, float] = 0.0,
    references: tuple[ArrayLike, ArrayLike] | None = None,
) -> ZeroSumEquilibrium: ...


@overload
def nash_zero_sum(
    A: ArrayLike,
    tau: list[float] | NDArray[Any],
    references: tuple[ArrayLike, ArrayLike] | None = None,
) -> ZeroSumPath: ...


def nash_zero_sum(
    A: ArrayLike,
    tau: float | tuple[float, float] | list[float] | NDArray[Any] = 0.0,
    references: tuple[ArrayLike, ArrayLike] | None = None,
) -> ZeroSumEquilibrium | ZeroSumPath:
    """The equilibrium of the zero-sum game in which the row player gets A[i, j], float64[m, n] of any scale.

    tau : the weight of the KL of each player to its reference, in units of A: one number, or one for the row
        and one for the column player; both 0, or both above 0. A tuple is one for each player; a list or an
        array float64[T] gives a `ZeroSumPath`, the equilibria along several taus, each for both players.
    references : float64[m] and float64[n], uniform by default. A strategy of reference 0 is outside the game.

    At tau = 0 the game is solved as the symmetric game of size m + n + 1 of Gale, Kuhn and Tucker; among
    several equilibria the centre is returned. Where payoffs differ so much in size that doubles do not
    resolve those that are played, the game is solved in exact arithmetic (up to 1600 cells), which returns an
    extreme equilibrium. Above tau = 0, the equilibrium is unique,
    row = softmax(log reference + A column / tau) and column = softmax(log reference - A' row / tau), and it
    is found by Newton's method to about 1e-16 / tau in both equations.

    Raises ValueError unless A is a finite matrix, every tau is finite and at least 0, or when a reference is
    no distribution. Raises RuntimeError when the gap of a game of more than 1600 cells, or of a regularised
    one, exceeds 1e-9 of the payoffs that are played, row |A| column, which happens where payoffs are of very
    different size, and when tau is below 1e-17 of the largest payoff.
    """
    payoff = _payoff(A)
    if not isinstance(tau, tuple) and np.ndim(tau) > 0:
        return _path(payoff, check_path(tau), references)
    if isinstance(tau, tuple) and len(tau) != 2:
        raise ValueError(
            f"tau must be one number or one for each player, got {tau}: give the taus of a path as a list."
        )
    taus = check_taus(tau)  # pyright: ignore[reportArgumentType]
    if references is None and taus == (0, 0):
        return ZeroSumEquilibrium(*unregularised(payoff))
    row, column = _references(references, payoff.shape)
    inside = np.ix_(row > 0, column > 0)
    if taus == (0, 0):
        found = ZeroSumEquilibrium(*unregularised(payoff[inside]))
    else:
        found = _regularised(payoff[inside], (row[row > 0], column[column > 0]), taus)
    return found._replace(row=_placed(found.row, row > 0), column=_placed(found.column, column > 0))


def _path(payoff: Array, taus: Array, references: tuple[ArrayLike, ArrayLike] | None) -> ZeroSumPath:
    at = functools.partial(nash_zero_sum, payoff, references=references)
    found = [at(one) for one in taus.tolist()]
    row, column, value, exploitability = (np.array(part) for part in zip(*found, strict=True))
    return ZeroSumPath(payoff, taus, row, column, value, exploitability, at)


def check_taus(tau: float | tuple[float, float], *, alike: bool = True) -> tuple[float, float]:
    """The tau of both players, from one number or two.

    Raises ValueError unless both are finite and at least 0, and where they must be `alike`, both 0 or both
    above 0.
    """
    both = real("tau", tau)
    if both.shape not in ((), (2,)) or not (np.isfinite(both) & (both >= 0)).all():
        raise ValueError(f"tau must be one number or one for each player, finite and at least 0, got {tau}.")
    first, second = (float(one) for one in np.broadcast_to(both, 2))
    if alike and (first == 0) != (second == 0):
        raise ValueError(
            f"tau must be 0 for both players or above 0 for both, got {tau}: pass a small tau, such as 1e-4, "
            "for the player without regularisation."
        )
    return first, second


def _payoff(A: ArrayLike) -> Array:
    payoff = real("A", A).copy()
    if payoff.ndim != 2 or 0 in payoff.shape:
        raise ValueError(f"A must have shape [m, n], got {payoff.shape}.")
    if not np.isfinite(payoff).all():
        i, j = np.argwhere(~np.isfinite(payoff))[0]
        raise ValueError(f"A must be finite, got A[{i}, {j}] = {payoff[i, j]}.")
    return payoff


def _references(
    references: tuple[ArrayLike, ArrayLike] | None, shape: tuple[int, ...]
) -> tuple[Array, Array]:
    if references is None:
        return np.full(shape[0], 1 / shape[0]), np.full(shape[1], 1 / shape[1])
    if len(references) != 2:
        raise ValueError(f"references must be two, of the row and the column player, got {len(references)}.")
    names = ("the reference of the row player", "the reference of the column player")
    first, second = (_distribution(*one) for one in zip(names, references, shape, strict=True))
    return first, second


def _distribution(name: str, values: ArrayLike, size: int) -> Array:
    p = real(name, values)
    if p.shape != (size,):
        raise ValueError(f"{name} must have shape [{size}], got {list(p.shape)}.")
    return p / check_distribution(name, p)


def _placed(part: Array, inside: NDArray[np.bool_]) -> Array:
    whole = np.zeros(len(inside))
    whole[inside] = part
    return whole


def _regularised(
    payoff: Array, references: tuple[Array, Array], taus: tuple[float, float]
) -> ZeroSumEquilibrium:
    factor = 2.0**-16 if np.abs(payoff).max() > 1e300 else 1.0  # differences of payoffs must not overflow
    payoff, (tau_p, tau_q) = payoff * factor, (taus[0] * factor, taus[1] * factor)
    centred = payoff - np.median(payoff)  # a constant moves neither strategy
    scale = float(np.abs(centred).max()) or 1.0
    if min(tau_p, tau_q) < LEAST * scale:
        raise RuntimeError(
            f"tau is {min(tau_p, tau_q) / scale:.3g} of the range of payoffs, below the rounding of doubles: "
            f"ask for a tau of at least {LEAST * scale / factor:.3g}, or for tau=0."
        )
    logs = (np.log(references[0]), np.log(references[1]))
    row, column, _ = regularised_pair(
        centred / scale, logs, (min(tau_p / scale, FLAT), min(tau_q / scale, FLAT))
    )
    with np.errstate(over="ignore"):
        answers = (
            normalise(logs[0] + centred @ column / tau_p),
            normalise(logs[1] - row @ centred / tau_q),
        )
        gap = float(tau_p * kl_to_logs(row, answers[0]) + tau_q * kl_to_logs(column, answers[1]))
    found = Found(row, column, float(row @ payoff @ column), max(gap, 0.0))
    allowed = ENOUGH * (played(payoff, found) + tau_p + tau_q)
    if not gap <= allowed:
        raise RuntimeError(
            f"no regularised equilibrium to {ENOUGH:g} of the payoffs that are played: the best pair leaves "
            f"a gap of {gap / factor:.3g}, needed {allowed / factor:.3g}: ask for a larger tau, or cut "
            "payoffs of another size."
        )
    return ZeroSumEquilibrium(row, column, found.value / factor, found.gap / factor)
