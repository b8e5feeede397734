"""Resamples of votes that can leave the data: thin pairs are drawn towards what is known of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pgames.numerics import check_whole, count
from pgames.ratings.bradley_terry import BradleyTerry, bradley_terry
from pgames.votes.comparisons import Comparisons

TOSSES = 2.0  # pseudo-votes on each pair, and tosses of a coin in each of them
PRIOR = 0.5  # of the ranking that predicts them


class Redrawn(NamedTuple):
    """A resample, and the row of the votes behind each of its rows, int64[N]."""

    votes: Comparisons
    rows: NDArray[np.intp]


def redrawn(
    votes: Comparisons,
    resamples: int,
    seed: int,
    model: BradleyTerry | None = None,
    clusters: ArrayLike | None = None,
) -> Iterator[Redrawn]:
    """Samples of N votes drawn with replacement, some with another outcome; the k-th depends on (seed, k).

    A drawn vote on a pair with n votes gets a new outcome with probability 2 / (n + 2): a tie with the share
    of ties of the file, else a win by the ranking's prediction. The prediction b counts as m votes beside two
    tosses of a coin, (m b + 1) / (m + 2), where 4 / m is the variance of the difference of the two scores. So
    pairs with many votes keep their own rates, pairs of items that the other votes place well follow the
    ranking, and where votes are few the other side wins in some resamples.

    model : a Bradley-Terry fit with a prior, fitted here by default.
    clusters : integers[N], such as the annotator or the prompt of each vote. Whole clusters are drawn, as
        many as there are, so a resample may have more or fewer votes than the file.

    Raises ValueError when `resamples` or `seed` is no whole number of at least 0, or clusters are not one
    integer per vote.
    """
    resamples = count("resamples", resamples, 0)
    check_whole("seed", seed, 0)
    members = None if clusters is None else _members(clusters, len(votes))
    if model is None:
        model = bradley_terry(votes, prior=PRIOR, level=None)
    assert model.covariance is not None
    spread = np.diag(model.covariance)
    variance = np.maximum(spread[:, None] + spread[None, :] - 2 * model.covariance, 1e-12)
    worth = 4 / variance
    predicted = (worth * model.win_rates + TOSSES / 2) / (worth + TOSSES)
    counts = votes.pooled_counts.votes
    ties = float(np.count_nonzero(votes.winner == 0)) / (len(votes) + TOSSES)
    fresh = (TOSSES / (counts + TOSSES))[votes.left, votes.right]
    for k in range(resamples):
        rng = np.random.default_rng([seed, k])
        rows = rng.integers(len(votes), size=len(votes)) if members is None else _of_clusters(rng, *members)
        left, right, winner = votes.left[rows], votes.right[rows], votes.winner[rows]
        anew = np.flatnonzero(rng.random(len(rows)) < fresh[rows])
        won = rng.random(len(anew)) < predicted[left[anew], right[anew]]
        tied = rng.random(len(anew)) < ties
        winner[anew] = np.where(tied, 0, np.where(won, 1, -1))
        yield Redrawn(Comparisons(left, right, winner, votes.items, votes.prompt[rows], votes.prompts), rows)


def _members(clusters: ArrayLike, votes: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """(the rows, cluster by cluster; where each cluster starts, and the end)."""
    labels = np.asarray(clusters)
    if labels.shape != (votes,) or not np.issubdtype(labels.dtype, np.integer):
        raise ValueError(
            f"clusters must be {votes} integers, one per vote, got shape {labels.shape} of {labels.dtype}."
        )
    number = np.unique(labels, return_inverse=True)[1]
    starts = np.concatenate([[0], np.cumsum(np.bincount(number))])
    return np.argsort(number, kind="stable"), starts


def _of_clusters(
    rng: np.random.Generator, rows: NDArray[np.intp], starts: NDArray[np.intp]
) -> NDArray[np.intp]:
    """The rows of clusters drawn with replacement, as many as there are, in an order drawn at random."""
    drawn = rng.integers(len(starts) - 1, size=len(starts) - 1)
    out = np.concatenate([rows[starts[g] : starts[g + 1]] for g in drawn])
    return rng.permutation(out)
