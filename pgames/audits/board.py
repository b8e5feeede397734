"""The votes of an audit, with what the probes share: the fit and its residuals."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from pgames.ratings.estimate import Estimated, pooled_game
from pgames.votes.comparisons import Comparisons

MOST_FLIPS, FEWEST_FLIPS = 499, 199
MANY = 3 * 10**5  # votes from which the fewest are used
TOGETHER = 1 << 16  # signs in a block: what is computed from them stays in the cache


@dataclass(frozen=True, eq=False)
class Board:
    """Votes with the columns that an audit can use.

    annotator : int64[N], the number of the annotator of each vote; annotators : their names. time :
    float64[N], when each vote was cast. None where there is no such column. found : the
    estimated game and the fit behind it.
    """

    votes: Comparisons
    annotator: NDArray[np.int64] | None
    annotators: tuple[str, ...]
    time: NDArray[np.float64] | None
    seed: int
    found: Estimated

    @cached_property
    def rates(self) -> NDArray[np.float64]:
        """float64[Y, Y]: the estimated win rates over all prompts."""
        return pooled_game(self.votes, self.found).P[0]

    @cached_property
    def residual(self) -> NDArray[np.float64]:
        """float64[N]: the points of the left item (1, 1/2, 0) minus those expected."""
        points = (1.0 + self.votes.winner.astype(np.float64)) / 2
        return (points - self.rates[self.votes.left, self.votes.right]).astype(np.float64)

    def spread(self, residual: NDArray[np.float64], rows: NDArray[np.bool_] | NDArray[np.intp]) -> float:
        """The standard deviation of the sum of residuals float64[n], seen or expected, the larger.

        Votes that all agree have hardly a residual, and that is no measure of their noise.
        """
        rate = self.rates[self.votes.left[rows], self.votes.right[rows]]
        ties = float((self.votes.winner == 0).mean())
        expected = float(np.maximum(rate * (1 - rate) - ties / 4, 0.0).sum())
        return float(np.sqrt(max(residual @ residual, expected)))

    @property
    def flips(self) -> int:
        """The number of random signs by which a probe measures chance."""
        return MOST_FLIPS if len(self.votes) < MANY else FEWEST_FLIPS

    def signs(self, stream: int) -> Iterator[NDArray[np.float64]]:
        """Random signs float64[F, N] of a probe, a block of some rows at a time, keyed by the seed."""
        votes, rng = len(self.votes), np.random.default_rng([self.seed, stream])
        rows = max(1, TOGETHER // votes)
        for start in range(0, self.flips, rows):
            drawn = rng.integers(0, 2, (min(rows, self.flips - start), votes), dtype=np.int8)
            yield np.where(drawn > 0, -1.0, 1.0)


def sums(values: NDArray[np.float64], place: NDArray[np.integer], places: int) -> NDArray[np.float64]:
    """float64[F, P]: the values float64[F, N] of each row, added up by their place int64[N]."""
    rows = len(values)
    index = place + places * np.arange(rows)[:, None]
    added = np.bincount(index.ravel(), values.ravel(), rows * places)
    return np.asarray(added, dtype=np.float64).reshape(rows, places)
