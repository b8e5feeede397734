"""Counts of pairwise votes, for files of votes, ratings, tables and duels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class PairCounts:
    """Wins and ties of pairs. Counts may be fractions, and counts of one shape can be added.

    Parameters
    ----------
    wins : float64[..., Y, Y], wins[..., y, z] = votes for y against z; the leading axes are X prompts, or S
        runs and X prompts.
    ties : float64[..., Y, Y], symmetric; None where ties cannot occur.
    """

    wins: NDArray[np.float64]
    ties: NDArray[np.float64] | None = None

    def __add__(self, other: PairCounts) -> PairCounts:
        if not isinstance(other, PairCounts):
            return NotImplemented
        if self.ties is None or other.ties is None:
            ties = self.ties if other.ties is None else other.ties
        else:
            ties = self.ties + other.ties
        return PairCounts(self.wins + other.wins, ties)

    @property
    def points(self) -> NDArray[np.float64]:
        """float64[..., Y, Y]: votes for y against z; a tie is half a vote for each."""
        return self.wins if self.ties is None else self.wins + self.ties / 2

    @property
    def votes(self) -> NDArray[np.float64]:
        """float64[..., Y, Y], symmetric: votes on the pair y, z."""
        both = self.wins + np.swapaxes(self.wins, -1, -2)
        return both if self.ties is None else both + self.ties

    def without_ties(self) -> PairCounts:
        """The same wins, the ties dropped."""
        return PairCounts(self.wins)
