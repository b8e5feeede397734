"""The game estimated from few votes: the votes of each pair, shrunk to the prediction of a ranking."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pgames.games.preference import PreferenceGame
from pgames.ratings.bradley_terry import BradleyTerry, bradley_terry
from pgames.votes.comparisons import Comparisons
from pgames.votes.smoothing import check_memory

ESTIMATOR = "pgames.estimate: the votes of each pair, shrunk to Bradley-Terry"  # its name in outputs
WORTH = np.geomspace(1, 64, 13)  # candidate weights, in votes, of the ranking's prediction of a pair
POOLING = 4.0  # weight, in votes, of the estimate over all prompts on each prompt
BT_PRIOR = 0.5  # votes won and lost against an average item, so that no score is infinite


def estimate(votes: Comparisons, worth: float | None = None) -> PreferenceGame:
    """The preference game estimated from votes, one response per item; `pgames solve` and `report` use it.

    With W votes for y against z over all prompts (a tie is half a vote), N votes on the pair and b the win
    rate that Bradley-Terry predicts,

        P[y, z] = (W[y, z] + worth * b[y, z]) / (N[y, z] + worth)

    the posterior mean under the prior Beta(worth * b, worth * (1 - b)). With several prompts, P is worth 4
    votes on each: P[x, y, z] = (W[x, y, z] + 4 P[y, z]) / (N[x, y, z] + 4).

    A pair with many votes keeps its own win rate, cycles included; a pair without votes takes the prediction
    of the ranking. The alternative, 1/2 for such a pair (`Comparisons.to_game`), favours items that were
    compared with few opponents: with votes of 9 to 1 for A over B, B over C and C over D, it makes A and C
    equals, and the equilibrium plays C with probability .3 although every vote speaks for A. Here the
    equilibrium is A alone. An estimate is never 0 or 1, and both estimators tend to the frequencies as votes
    grow.

    Parameters
    ----------
    worth : the weight, in votes, of the ranking's prediction of a pair; by default the value in [1, 64] of
        greatest likelihood (`ranking_worth`), which is small where cycles are strong.

    Raises ValueError when worth is not above 0 and finite, or when the counts of all prompts would need more
    than 8 GiB.
    """
    model = ranking_model(votes)
    return shrunk(votes, model, ranking_worth(votes, model) if worth is None else worth)


def ranking_model(votes: Comparisons) -> BradleyTerry:
    """The Bradley-Terry model that `estimate` shrinks to; a small prior keeps every score finite."""
    return bradley_terry(votes, prior=BT_PRIOR)


def ranking_worth(votes: Comparisons, model: BradleyTerry) -> float:
    """The weight, in votes, of the model's prediction of a pair, in [1, 64]; small if cycles are strong.

    It is the k of greatest likelihood when the win rate of every pair is drawn from Beta(k b, k (1 - b)), b
    being the win rate of the model; ties are left out (empirical Bayes).
    """
    from scipy.special import betaln

    pairs = np.triu_indices(len(votes.items), 1)
    wins = votes.pooled_counts.wins
    won, lost = wins[pairs], wins.T[pairs]
    rate = model.win_rates[pairs]
    fit = [
        (betaln(won + k * rate, lost + k * (1 - rate)) - betaln(k * rate, k * (1 - rate))).sum()
        for k in WORTH
    ]
    return float(WORTH[np.argmax(np.round(fit, 6))])


def shrunk(votes: Comparisons, model: BradleyTerry, worth: float) -> PreferenceGame:
    """The game of `estimate` for a model that is already fitted to the votes.

    Raises ValueError when worth is not above 0 and finite, or when the tables exceed the memory that is free.
    """
    if not 0 < worth < np.inf:
        raise ValueError(f"worth must be a number of votes, above 0 and finite, got {worth}.")
    check_memory(len(votes.prompts), len(votes.items))
    pooled = votes.pooled_counts
    P = (pooled.points + worth * model.win_rates) / (pooled.votes + worth)
    if len(votes.prompts) == 1:
        return PreferenceGame(P, labels=votes.items)
    return PreferenceGame(_by_prompt(votes, P), labels=votes.items)


def _by_prompt(votes: Comparisons, P: NDArray[np.float64]) -> NDArray[np.float64]:
    """float64[X, Y, Y]: the rates of each prompt, to which P float64[Y, Y] adds POOLING votes a pair."""
    return (votes.counts.points + POOLING * P) / (votes.counts.votes + POOLING)
