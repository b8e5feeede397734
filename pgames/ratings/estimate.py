"""The preference game behind few votes: each pair's own votes, shrunk to what a ranking predicts."""

from __future__ import annotations

import numpy as np

from pgames.games.preference import PreferenceGame
from pgames.ratings import bradley_terry
from pgames.votes.comparisons import Comparisons

WORTH = np.geomspace(1, 64, 13)  # votes that the ranking's prediction of a pair may be worth
POOLING = 4.0  # votes that the estimate over all prompts is worth on each of them
BT_PRIOR = 0.5  # votes won and lost against an average item, where scores would be infinite otherwise


def ranking_worth(votes: Comparisons) -> float:
    """How many votes the Bradley-Terry prediction of a pair is worth, in [1, 64]: few if cycles are strong.

    The k of greatest likelihood if the win rate of every pair were drawn from Beta(k b, k (1 - b)), b the
    win rate of Bradley-Terry, judged by the votes that are not ties (empirical Bayes).
    """
    from scipy.special import betaln

    pairs = np.triu_indices(len(votes.items), 1)
    wins = votes.pooled_counts.wins
    won, lost = wins[pairs], wins.T[pairs]
    rate = bradley_terry(votes, prior=BT_PRIOR).win_rates[pairs]
    fit = [
        (betaln(won + k * rate, lost + k * (1 - rate)) - betaln(k * rate, k * (1 - rate))).sum()
        for k in WORTH
    ]
    return float(WORTH[np.argmax(np.round(fit, 6))])


def estimate(votes: Comparisons, worth: float, by_prompt: bool = False) -> PreferenceGame:
    """The preference game behind the votes, shrunk to what a ranking predicts where votes are few.

    With W votes for one side of a pair (a tie is half a vote), N votes on the pair and b the win rates of
    Bradley-Terry, P = (W + worth b) / (N + worth): a pair never compared is as the ranking has it, not even,
    or else the equilibrium would be made of items that never met. By prompt, P is worth 4 votes on each.
    """
    wins, ties = votes.pooled_counts
    model = bradley_terry(votes, prior=BT_PRIOR).win_rates
    P = (wins + ties / 2 + worth * model) / (wins + wins.T + ties + worth)
    if not by_prompt:
        return PreferenceGame(P, labels=votes.items)
    counts = votes.counts
    cast = counts.wins + counts.wins.transpose(0, 2, 1) + counts.ties
    return PreferenceGame(
        (counts.wins + counts.ties / 2 + POOLING * P) / (cast + POOLING), labels=votes.items
    )
