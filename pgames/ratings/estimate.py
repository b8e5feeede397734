"""The game estimated from few votes: the votes of each pair, shrunk to the prediction of a ranking."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pgames.counts import PairCounts
from pgames.games.preference import PreferenceGame
from pgames.numerics import number
from pgames.ratings.bradley_terry import BradleyTerry, bradley_terry
from pgames.ratings.sources import effective_weights, need_votes, weighted_counts
from pgames.votes.comparisons import Comparisons
from pgames.votes.smoothing import check_memory

ESTIMATOR = "pgames.estimate: the votes of each pair, shrunk to Bradley-Terry"  # its name in outputs
WORTH = np.geomspace(1, 64, 13)  # candidate weights, in votes, of the ranking's prediction of a pair
POOLING = 4.0  # weight, in votes, of the estimate over all prompts on each prompt
TINY = 1e-12  # a predicted win rate as close to 0 or 1 counts as this
BT_PRIOR = 0.5  # votes won and lost against an average item, so that no score is infinite


class Estimated(NamedTuple):
    """A game estimated from votes.

    model : the Bradley-Terry fit to which the votes are shrunk, with the prior 1/2. worth : the weight of its
    predictions, in votes. counts : wins and ties float64[Y, Y] over all prompts.
    """

    game: PreferenceGame
    model: BradleyTerry
    worth: float
    counts: PairCounts


def estimate(
    votes: Comparisons, worth: float | None = None, weights: ArrayLike | None = None
) -> PreferenceGame:
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
    weights : float64[N], at least 0, one per vote; only their ratios count (see `bradley_terry`).

    Raises TypeError when given a game, and ValueError when worth is not above 0 and finite, or when the
    counts of all prompts would need more than 8 GiB.
    """
    return estimated(votes, worth, weights, level=None).game


def estimated(
    votes: Comparisons,
    worth: float | None = None,
    weights: ArrayLike | None = None,
    level: float | None = 0.95,
) -> Estimated:
    """`estimate` with the fit behind it; `level` is that of the fit's intervals, None for none.

    weights : float64[N], one per vote, or None.

    Raises ValueError and TypeError as `estimate` does.
    """
    need_votes(votes, "estimate", "the game itself")
    if worth is not None:
        _check_worth(worth)
    w = None if weights is None else effective_weights(votes, weights)
    model = bradley_terry(votes, prior=BT_PRIOR, weights=w, level=level)
    counts = votes.pooled_counts if w is None else weighted_counts(votes, w)
    worth = worth_of(counts, model) if worth is None else worth
    return Estimated(_game(votes, counts, model, worth, w), model, worth, counts)


def ranking_model(votes: Comparisons) -> BradleyTerry:
    """The Bradley-Terry model that `estimate` shrinks to; a small prior keeps every score finite."""
    return bradley_terry(votes, prior=BT_PRIOR)


def ranking_worth(votes: Comparisons, model: BradleyTerry) -> float:
    """The weight, in votes, of the model's prediction of a pair, in [1, 64]; small if cycles are strong.

    It is the k of greatest likelihood when the win rate of every pair is drawn from Beta(k b, k (1 - b)), b
    being the win rate of the model; ties are left out (empirical Bayes).
    """
    return worth_of(votes.pooled_counts, model)


def worth_of(counts: PairCounts, model: BradleyTerry) -> float:
    """`ranking_worth` of counts float64[Y, Y]."""
    from scipy.special import betaln

    pairs = np.triu_indices(len(counts.wins), 1)
    won, lost = counts.wins[pairs], counts.wins.T[pairs]
    rate = np.clip(model.win_rates[pairs], TINY, 1 - TINY)
    fit = [
        (betaln(won + k * rate, lost + k * (1 - rate)) - betaln(k * rate, k * (1 - rate))).sum()
        for k in WORTH
    ]
    return float(WORTH[np.argmax(np.round(fit, 6))])


def shrunk(votes: Comparisons, model: BradleyTerry, worth: float) -> PreferenceGame:
    """The game of `estimate` for a model that is already fitted to the votes.

    Raises ValueError when worth is not above 0 and finite, or when the tables exceed the memory that is free.
    """
    _check_worth(worth)
    return _game(votes, votes.pooled_counts, model, worth, None)


def pooled_game(votes: Comparisons, found: Estimated) -> PreferenceGame:
    """The game over all prompts behind an estimate, as one prompt."""
    P = (found.counts.points + found.worth * found.model.win_rates) / (found.counts.votes + found.worth)
    return PreferenceGame(P, labels=votes.items)


def by_prompt(
    votes: Comparisons, pooled: PreferenceGame, weights: NDArray[np.float64] | None = None
) -> PreferenceGame:
    """The game of every prompt, in which the rates over all prompts are worth POOLING votes a pair.

    weights : effective weights float64[N] of the votes.
    """
    counts = votes.counts if weights is None else weighted_counts(votes, weights, by_prompt=True)
    P = (counts.points + POOLING * pooled.P[0]) / (counts.votes + POOLING)
    return PreferenceGame(P, labels=votes.items)


def _game(
    votes: Comparisons,
    counts: PairCounts,
    model: BradleyTerry,
    worth: float,
    weights: NDArray[np.float64] | None,
) -> PreferenceGame:
    check_memory(len(votes.prompts), len(votes.items))
    P = (counts.points + worth * model.win_rates) / (counts.votes + worth)
    pooled = PreferenceGame(P, labels=votes.items)
    return pooled if len(votes.prompts) == 1 else by_prompt(votes, pooled, weights)


def _check_worth(worth: float) -> None:
    if not 0 < number(worth) < np.inf:
        raise ValueError(f"worth must be a number of votes, above 0 and finite, got {worth!r:.60}.")
