"""RoleMeetings: what pairs of roles won of each other, and the success of each attacker on each defender."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pgames.meetings import Meetings, matches, no_meetings
from pgames.numerics import called, reading

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class RoleMeetings(Meetings):
    """Meetings of pairs, in which the attackers and the defenders can be weighed apart.

    halves : meetings of 2 K members, attacker i at 2 i and defender i at 2 i + 1; two of one role never meet.
        `rates` are the means over both roles, and `games` the sums.
    """

    halves: Meetings

    @classmethod
    def of(cls, halves: Meetings) -> RoleMeetings:
        """The meetings of pairs, from those of their halves."""
        success, played = halves.rates[:, ::2, 1::2], halves.games[:, ::2, 1::2]
        own = np.eye(success.shape[1], dtype=bool)
        rates = np.where(own, 0.5, 0.5 * (success + (1 - np.swapaxes(success, 1, 2))))
        return cls(rates, np.where(own, np.inf, played + np.swapaxes(played, 1, 2)), halves)

    @classmethod
    def of_success(cls, success: Array, games: Array) -> RoleMeetings:
        """The meetings of K pairs, from the success of each attacker on each defender.

        success : float64[S, K, K] of the row's attacker on the column's defender, NaN where they never
            met.
        games : float64[S, K, K], those in which the row's attacker met the column's defender.
        """
        S, K, _ = success.shape
        none = no_meetings(2 * K, S)
        rates, played = none.rates.copy(), none.games.copy()
        rates[:, ::2, 1::2], rates[:, 1::2, ::2] = success, 1 - np.swapaxes(success, 1, 2)
        played[:, ::2, 1::2], played[:, 1::2, ::2] = games, np.swapaxes(games, 1, 2)
        return cls.of(Meetings(rates, played))

    @property
    def success(self) -> Array:
        """The success of the row's attacker on the column's defender, float64[S, K, K]; NaN if never met."""
        return self.halves.rates[:, ::2, 1::2]

    def weighed(self, meta: Callable[[Array], Array]) -> Array:
        """Weights float64[S, 2, K] of the attackers and of the defenders.

        The meta-solvers of `pgames.population` have a method `by_role`, which weighs each role against the
        members of the other. One without it weighs pairs, whose two roles then have one weight. Raises
        ValueError naming a pair that never met, or a meta-solver that writes into the win rates.
        """
        rates = self.known()
        with reading(f"the meta-solver {called(meta)}", "the win rates"):
            if (by_role := getattr(meta, "by_role", None)) is not None:
                return by_role(self.success)
            weights = meta(rates)
        return np.stack([weights, weights], axis=1)

    def __add__(self, other: Meetings) -> RoleMeetings:
        """Both, pooled by their games. Raises ValueError unless they have the same runs and members."""
        return (
            RoleMeetings.of(self.halves + other.halves) if isinstance(other, RoleMeetings) else NotImplemented
        )

    def among(self, members: Sequence[int]) -> RoleMeetings:
        """The meetings of these pairs, by number."""
        return RoleMeetings.of(self.halves.among([2 * i + role for i in members for role in (0, 1)]))

    def of_run(self, s: int) -> RoleMeetings:
        """The meetings of one run, by number."""
        return RoleMeetings.of(self.halves.of_run(s))

    def updated(self, fresh: Meetings, changed: ArrayLike) -> RoleMeetings:
        """With the games of `fresh` for each two with a `changed` pair: bool[S, K] or bool[K].

        Raises TypeError when `fresh` are not meetings of pairs of roles.
        """
        if not isinstance(fresh, RoleMeetings):
            raise TypeError(f"meetings of pairs of roles are needed, got {type(fresh).__name__}.")
        return RoleMeetings.of(self.halves.updated(fresh.halves, np.repeat(changed, 2, axis=-1)))

    def grown(self, row: ArrayLike | None = None, games: ArrayLike = 0.0) -> RoleMeetings:
        """With one more pair, the last, which has met nobody yet: `success` float64[S, K + 1, K + 1].

        Raises ValueError when `row` is given: win rates of pairs do not tell the success of each role.
        """
        if row is not None:
            raise ValueError("a new pair of roles is met by RoleArena.meet: leave `row` out.")
        return RoleMeetings.of(self.halves.grown().grown())


def role_matches(members: int, pairs: ArrayLike) -> NDArray[np.int64]:
    """How often the attacker of each pair meets the defender of each, int64[K, K], symmetric, for matches
    int64[B, 2].

    The attacker of a pair that meets somebody, or is alone, also meets its own defender once, so that
    attackers and defenders can be weighed apart. Raises ValueError as `pgames.meetings.matches` does.
    """
    times = matches(members, pairs)
    met = times.any(axis=1) | (members == 1)
    np.fill_diagonal(times, met)
    return times
