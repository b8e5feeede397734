"""Online Elo ratings."""

from __future__ import annotations

import math

import numpy as np

from pgames.comparisons import Comparisons
from pgames.kernels import njit
from pgames.ratings.table import Ratings, need_votes


def elo(
    votes: Comparisons, initial: float = 1000.0, base: float = 10.0, scale: float = 400.0, k: float = 4.0
) -> Ratings:
    """Ratings updated vote by vote, in the order of the votes; a tie scores 1/2.

    R_left += k (score - p),  R_right -= k (score - p),  p = 1 / (1 + base ** ((R_right - R_left) / scale))

    This is stochastic gradient ascent on the Bradley-Terry likelihood with a step that never shrinks, so
    on cyclic preferences the result is an artefact of who met whom, and when.
    """
    need_votes(votes, "elo", "bradley_terry")
    if not (base > 1 and scale > 0 and math.isfinite(initial + k)):
        raise ValueError(
            f"elo needs base > 1, scale > 0 and finite initial and k, got base={base}, scale={scale}, "
            f"initial={initial}, k={k}."
        )
    scores = np.full(len(votes.items), float(initial))
    _elo(votes.left, votes.right, votes.winner, scores, math.log(base) / scale, k)
    return Ratings(votes.items, scores)


@njit
def _elo(left, right, winner, scores, rate, k):
    for n in range(left.size):
        i, j = left[n], right[n]
        expected = 1.0 / (1.0 + math.exp(rate * (scores[j] - scores[i])))
        change = k * (0.5 + 0.5 * winner[n] - expected)
        scores[i] += change
        scores[j] -= change
