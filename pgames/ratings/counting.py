"""Counting ratings: wins, and win rates averaged over opponents."""

from __future__ import annotations

import numpy as np

from pgames.games.preference import PreferenceGame
from pgames.ratings.table import Ratings, pair_votes
from pgames.votes.comparisons import Comparisons


def win_count(source: Comparisons | PreferenceGame) -> Ratings:
    """sum_z W[y, z]: the votes each item won, a tie being half a vote."""
    votes = pair_votes(source)
    return Ratings(votes.items, (votes.wins + votes.ties / 2).sum(axis=1))


def average_win_rate(source: Comparisons | PreferenceGame) -> Ratings:
    """The mean over opponents z met of W[y, z] / N[y, z], in [0, 1]; 0 for an item that met nobody."""
    votes = pair_votes(source)
    won = votes.wins + votes.ties / 2
    total = won + won.T
    rates = np.divide(won, total, out=np.zeros_like(won), where=total > 0)
    return Ratings(votes.items, rates.sum(axis=1) / np.maximum((total > 0).sum(axis=1), 1))
