"""Online Elo ratings."""

from __future__ import annotations

import math

import numpy as np

from pgames.kernels.blocks import njit
from pgames.numerics import number
from pgames.ratings.scores import Ratings
from pgames.ratings.sources import need_votes
from pgames.votes.comparisons import Comparisons

SHORT = 0.03  # largest change of rate * R that the series of exp is exact for
LARGEST = 1e100  # of k and initial: no rating overflows
BLOCK = 2**14  # votes between recomputations of the strengths, which keeps rounding from adding up


def elo(
    votes: Comparisons, initial: float = 1000.0, base: float = 10.0, scale: float = 400.0, k: float = 4.0
) -> Ratings:
    """Ratings updated vote by vote, in the order of the votes; a tie scores 1/2.

    R_left += k (score - p),  R_right -= k (score - p),  p = 1 / (1 + base ** ((R_right - R_left) / scale))

    This is stochastic gradient ascent on the Bradley-Terry likelihood with a step that never shrinks, so
    on cyclic preferences the result is an artefact of the order of the votes.

    Raises TypeError when given a game, and ValueError when an argument is out of its range.
    """
    need_votes(votes, "elo", "bradley_terry")
    if not (
        1 < number(base) < math.inf
        and 0 < number(scale) < math.inf
        and 0 < number(k) <= LARGEST
        and abs(number(initial)) <= LARGEST
    ):
        raise ValueError(
            f"elo needs base > 1, scale > 0, k > 0 and k and initial of at most {LARGEST:g}, got "
            f"base={base!r:.60}, "
            f"scale={scale!r:.60}, k={k!r:.60}, initial={initial!r:.60}."
        )
    scores = np.full(len(votes.items), float(initial))
    rate = math.log(base) / scale
    update = _by_strengths if rate * k <= SHORT else _plainly
    for start in range(0, len(votes), BLOCK):
        rows = slice(start, start + BLOCK)
        update(votes.left[rows], votes.right[rows], votes.winner[rows], scores, rate, k)
    return Ratings(votes.items, scores)


@njit
def _plainly(left, right, winner, scores, rate, k):
    for n in range(left.size):
        i, j = left[n], right[n]
        expected = 1.0 / (1.0 + math.exp(rate * (scores[j] - scores[i])))
        change = k * (0.5 + 0.5 * winner[n] - expected)
        scores[i] += change
        scores[j] -= change


@njit
def _by_strengths(left, right, winner, scores, rate, k):
    """The same without exp: strengths exp(rate R) are kept beside R and updated by a series."""
    strengths = np.exp(rate * (scores - scores.mean()))
    for n in range(left.size):
        i, j = left[n], right[n]
        a, b = strengths[i], strengths[j]
        change = k * (0.5 + 0.5 * winner[n] - a / (a + b))
        scores[i] += change
        scores[j] -= change
        x = rate * change
        x2 = x * x
        even = 1 + x2 * (1 / 2 + x2 * (1 / 24 + x2 * (1 / 720)))
        odd = x * (1 + x2 * (1 / 6 + x2 * (1 / 120 + x2 * (1 / 5040))))
        strengths[i] = a * (even + odd)
        strengths[j] = b * (even - odd)
