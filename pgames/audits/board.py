"""The votes of an audit, with what the probes share: the fit and its residuals."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from pgames.ratings.estimate import Estimated, pooled_game
from pgames.votes.comparisons import Comparisons

MOST_FLIPS, FEWEST_FLIPS = 499, 199
MANY = 3 * 10**5  # votes from which the fewest are used


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

    def signs(self, stream: int, k: int) -> NDArray[np.float64]:
        """float64[N]: the k-th random signs of a probe, keyed by the seed."""
        rng = np.random.default_rng([self.seed, stream, k])
        return np.where(rng.integers(0, 2, len(self.votes), dtype=np.int8) > 0, -1.0, 1.0)
