"""Ratings by counting: wins, and win rates averaged over opponents."""

from __future__ import annotations

import numpy as np

from pgames.ratings.scores import Ratings
from pgames.ratings.sources import Source, items_of, pair_counts


def win_count(source: Source) -> Ratings:
    """sum_z W[y, z]: the votes each item won, a tie being half a vote."""
    won = pair_counts(source).points
    return Ratings(items_of(source), won.sum(axis=1))


def average_win_rate(source: Source) -> Ratings:
    """The mean of W[y, z] / N[y, z] over opponents z with votes, in [0, 1]; 0 for an item without votes."""
    won = pair_counts(source).points
    total = won + won.T
    rates = np.divide(won, total, out=np.zeros_like(won), where=total > 0)
    return Ratings(items_of(source), rates.sum(axis=1) / np.maximum((total > 0).sum(axis=1), 1))
