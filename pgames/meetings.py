"""Meetings: how often the members of a population won against each other, and in how many games."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pgames.numerics import called, check_whole, reading, real

Array = NDArray[np.float64]

ROUNDING = 1e-9  # the largest |P + P' - 1| that counts as rounding
Z95 = 1.959963984540054  # of a 95 % interval


@dataclass(frozen=True, eq=False)
class Meetings:
    """Win rates of K members against each other, with the number of games behind each.

    Parameters
    ----------
    rates : float64[S, K, K] in [0, 1], the win rate of the row against the column; NaN where the two never
        met. rates + rates' is 1, and the diagonal is 1/2.
    games : float64[S, K, K], symmetric; infinite where the rate is exact, 0 where the two never met.

    Meetings of the same members add up with `+`. Raises ValueError, naming the pair, for anything else.
    """

    rates: Array
    games: Array

    def __post_init__(self) -> None:
        rates, games = real("rates", self.rates), real("games", self.games)
        if rates.ndim != 3 or rates.shape[1] != rates.shape[2] or 0 in rates.shape:
            raise ValueError(f"rates must have shape [S, K, K], got {list(rates.shape)}.")
        if games.shape != rates.shape:
            raise ValueError(
                f"games must have the shape {list(rates.shape)} of rates, got {list(games.shape)}."
            )
        met = games > 0
        _refuse(
            (games >= 0) & (games == np.swapaxes(games, 1, 2)), games, "games", "at least 0 and symmetric"
        )
        _refuse(np.where(met, (rates >= 0) & (rates <= 1), np.isnan(rates)), rates, "rates", RATES)
        sums = np.where(met, rates + np.swapaxes(rates, 1, 2), 1.0)
        _refuse(np.abs(sums - 1) <= ROUNDING, sums, "rates + rates'", "1 for every pair that met")
        own = np.diagonal(rates, axis1=1, axis2=2)
        if not (np.abs(own - 0.5) <= ROUNDING).all():
            raise ValueError("rates must be 1/2 on the diagonal: a member against itself is even.")
        object.__setattr__(self, "rates", _frozen(rates))
        object.__setattr__(self, "games", _frozen(games))

    def __add__(self, other: Meetings) -> Meetings:
        """Both, pooled by their games. Raises ValueError unless they have the same runs and members."""
        if not isinstance(other, Meetings):
            return NotImplemented
        if self.games.shape != other.games.shape:
            raise ValueError(
                f"meetings of shape {list(self.games.shape)} and {list(other.games.shape)} do not add up: "
                "they must have the same runs and members (`grown` adds a member)."
            )
        total = self.games + other.games
        share = np.divide(
            other.games, total, out=np.zeros_like(total), where=np.isfinite(total) & (total > 0)
        )
        share[np.isinf(other.games) & ~np.isinf(self.games)] = 1.0  # an exact rate counts alone
        ours, theirs = np.nan_to_num(self.rates), np.nan_to_num(other.rates)
        pooled = (1 - share) * ours + share * theirs
        return Meetings(np.where(total > 0, pooled, np.nan), total)

    @property
    def runs(self) -> int:
        """Number of runs S."""
        return self.rates.shape[0]

    @property
    def members(self) -> int:
        """Number of members K."""
        return self.rates.shape[1]

    def known(self, names: Sequence[str] | None = None) -> Array:
        """The rates float64[S, K, K]. Raises ValueError naming a pair that never met."""
        if not (met := self.games > 0).all():
            s, i, j = (int(n) for n in np.argwhere(~met)[0])
            pair = f"{names[i]} and {names[j]}" if names else f"members {i} and {j}"
            raise ValueError(
                f"{pair} never met in run {s}, so their win rate is unknown: let them play, or leave one out."
            )
        return self.rates

    def weighed(self, meta: Callable[[Array], Array]) -> Array:
        """The weights that a meta-solver gives the members, float64[S, K].

        Raises ValueError naming a pair that never met, or a meta-solver that writes into the win rates.
        """
        with reading(f"the meta-solver {called(meta)}", "the win rates"):
            return meta(self.known())

    def margin(self) -> Array:
        """Half the width of the 95 % Wilson interval of each rate, float64[S, K, K]: 0 where exact, 1/2 where
        two never met. Games that share draws are not independent, and their true margin is larger."""
        rates = np.where(self.games > 0, self.rates, 0.5)
        z = Z95**2
        with np.errstate(invalid="ignore"):
            spread = np.sqrt(z * (rates * (1 - rates) * self.games + z / 4)) / (self.games + z)
        return np.where(np.isinf(self.games), 0.0, spread)

    def among(self, members: Sequence[int]) -> Meetings:
        """The meetings of these members, by number."""
        chosen = np.ix_(range(self.runs), members, members)
        return Meetings(self.rates[chosen], self.games[chosen])

    def of_run(self, s: int) -> Meetings:
        """The meetings of one run, by number."""
        return Meetings(self.rates[s : s + 1], self.games[s : s + 1])

    def updated(self, fresh: Meetings, changed: ArrayLike) -> Meetings:
        """With the games of `fresh` for each pair with a `changed` member: bool[S, K] or bool[K]."""
        new = np.broadcast_to(np.asarray(changed, dtype=bool), (self.runs, self.members))
        either = new[:, :, None] | new[:, None, :]
        rates = np.where(either, fresh.rates, self.rates)
        return Meetings(rates, np.where(either, fresh.games, self.games))

    def grown(self, row: ArrayLike | None = None, games: ArrayLike = 0.0) -> Meetings:
        """With one more member, the last, whose win rates against the others are `row` float64[S, K].

        Without `row` it has met nobody yet. `games` is one number or float64[S, K].
        Raises ValueError when `row` has another number of members.
        """
        S, K = self.runs, self.members
        if row is not None and np.shape(real("row", row)) not in ((K,), (1, K), (S, K)):
            raise ValueError(
                f"row must hold the win rates against {K} members, float64[{S}, {K}], got shape "
                f"{list(np.shape(row))}."
            )
        rates, played = np.full((S, K + 1, K + 1), np.nan), np.zeros((S, K + 1, K + 1))
        rates[:, :K, :K], played[:, :K, :K] = self.rates, self.games
        rates[:, K, K], played[:, K, K] = 0.5, np.inf
        if row is not None:
            against = np.broadcast_to(real("row", row), (S, K))
            rates[:, K, :K], rates[:, :K, K] = against, 1 - against
            played[:, K, :K] = played[:, :K, K] = np.broadcast_to(games, (S, K))
        return Meetings(rates, played)


RATES = "in [0, 1] where two met and NaN where they did not"


def no_meetings(members: int, runs: int = 1) -> Meetings:
    """K members of which no two have met.

    Raises ValueError when either is not a whole number of at least 1.
    """
    check_whole("members", members, 1)
    check_whole("runs", runs, 1)
    own = np.broadcast_to(np.eye(members, dtype=bool), (runs, members, members))
    return Meetings(np.where(own, 0.5, np.nan), np.where(own, np.inf, 0.0))


def exact_meetings(rates: ArrayLike) -> Meetings:
    """Exactly known win rates float64[S, K, K], whose rounding errors are removed.

    Raises ValueError, naming the pair, when a rate leaves [0, 1] or rates + rates' is not 1 by more than
    rounding, and for another shape.
    """
    P = real("rates", rates)
    if P.ndim != 3 or P.shape[1] != P.shape[2] or 0 in P.shape:
        raise ValueError(f"rates must have shape [S, K, K], got {list(P.shape)}.")
    _refuse((P >= -ROUNDING) & (P <= 1 + ROUNDING), P, "rates", "in [0, 1]")
    sums = P + np.swapaxes(P, 1, 2)
    _refuse(np.abs(sums - 1) <= ROUNDING, sums, "rates + rates'", "1 for every pair")
    P = np.clip(0.5 + (P - np.swapaxes(P, 1, 2)) / 2, 0.0, 1.0)
    return Meetings(P, np.full_like(P, np.inf))


def matches(members: int, pairs: ArrayLike) -> NDArray[np.int64]:
    """How often each pair of so many members meets, int64[K, K], symmetric, for matches int64[B, 2].

    Raises ValueError when `pairs` has another shape, or a number that no member has.
    """
    listed = np.asarray(pairs)
    if listed.size == 0:
        listed = np.zeros((0, 2), dtype=np.int64)
    if listed.ndim != 2 or listed.shape[1] != 2 or listed.dtype.kind not in "iu":
        raise ValueError(
            f"pairs must be whole numbers of shape [B, 2], got {listed.dtype} of shape {list(listed.shape)}."
        )
    if members == 0 or (listed.size and not (0 <= listed.min() and listed.max() < members)):
        found = f"{listed.min(initial=0)} to {listed.max(initial=0)}"
        raise ValueError(f"pairs must name members 0 to {members - 1}, got numbers {found}.")
    times = np.zeros((members, members), dtype=np.int64)
    np.add.at(times, (listed[:, 0], listed[:, 1]), 1)
    return times + times.T - np.diag(np.diag(times))


def _refuse(valid: NDArray[np.bool_], values: Array, name: str, need: str) -> None:
    if not valid.all():
        s, i, j = (int(n) for n in np.argwhere(~valid)[0])
        raise ValueError(
            f"{name} must be {need}, got {values[s, i, j]:g} for members {i} and {j} in run {s}."
        )


def _frozen(values: Array) -> Array:
    values = np.array(values)
    values.setflags(write=False)
    return values
