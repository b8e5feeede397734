"""What a reader of a report must know before the numbers."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pgames.ratings.finite import infinite_scores
from pgames.votes.comparisons import Comparisons

FEW = 10  # votes on an item below which its interval is hardly narrower than the prior
NAMED = 5  # items that a note names


def notes_on(votes: Comparisons, points: NDArray[np.float64]) -> tuple[str, ...]:
    """Warnings: rows left out, few votes on an item, none on a pair, scores that only the prior makes finite.

    points float64[Y, Y] : votes for y against z, weighted, a tie being half a vote.
    """
    notes = list(votes.notes)
    cast = votes.pooled_counts.votes.sum(axis=1)
    thin = np.argsort(cast, kind="stable")[: int((cast < FEW).sum())]
    if thin.size:
        named = ", ".join(f"{votes.items[y]} ({int(cast[y])})" for y in thin[:NAMED])
        more = f" and {thin.size - NAMED} more" if thin.size > NAMED else ""
        notes.append(
            f"{thin.size} of {len(votes.items)} items have fewer than {FEW} votes: {named}{more}. Their "
            "ranks and their part in the mixture are open; collect more votes or leave these items out."
        )
    if why := infinite_scores(points, votes.items):
        notes.append(
            f"{why}; a prior of half a vote won and lost against an average item keeps scores finite."
        )
    pairs = len(votes.items) * (len(votes.items) - 1) // 2
    if unmet := int((np.triu(votes.pooled_counts.votes == 0, 1)).sum()):
        notes.append(
            f"{unmet:,} of {pairs:,} pairs never met; the ranking's prediction stands in for their win rates."
        )
    return tuple(notes)
