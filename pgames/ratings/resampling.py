"""The Nash mixture, Elo and cycles of resampled votes, and the transitive share if a ranking were true."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pgames.exact.equilibrium import nash
from pgames.numerics import sigmoid
from pgames.progress import track
from pgames.ratings.bradley_terry import BradleyTerry
from pgames.ratings.elo import elo
from pgames.ratings.estimate import Estimated, estimate, estimated
from pgames.ratings.hodge import hodge
from pgames.ratings.redrawing import redrawn
from pgames.votes.comparisons import Comparisons

ELO_INITIAL, ELO_K = 1000.0, 4.0  # of the online ratings in reports
Steps = Sequence[tuple[int, int]]  # (winner, loser) for each step of a cycle


class Resampled(NamedTuple):
    """The statistics of R resamples of the votes.

    mixtures float64[R, Y] : the Nash mixture over all prompts; elo float64[R, Y]; held bool[R, C] : whether
    every step of a cycle was won.
    """

    mixtures: NDArray[np.float64]
    elo: NDArray[np.float64]
    held: NDArray[np.bool_]


def resample(
    votes: Comparisons,
    found: Estimated,
    cycles: Sequence[Steps],
    resamples: int,
    seed: int,
    weights: NDArray[np.float64] | None = None,
) -> Resampled:
    """Compute mixtures float64[R, Y], Elo float64[R, Y] and cycles bool[R, C] of resampled votes.

    The mixture is the centre of the equilibria of the game that `estimate` finds over all prompts in each of
    the resamples of `redrawn`, with the worth of `found`. Resample k depends on (seed, k) alone.
    """
    shape = resamples, len(votes.items)
    out = Resampled(np.empty(shape), np.empty(shape), np.empty((resamples, len(cycles)), dtype=bool))
    drawn = redrawn(votes, resamples, seed, found.model)
    for k, sample in enumerate(track(drawn, "resampling votes", resamples)):
        weighed = None if weights is None else weights[sample.rows]
        game = estimated(sample.votes.pooled(), found.worth, weighed, level=None).game
        out.mixtures[k] = nash(game, select="centre").policy[0]
        out.elo[k] = elo(sample.votes, ELO_INITIAL, k=ELO_K).scores
        out.held[k] = [all(game.skew[0, a, b] > 0 for a, b in steps) for steps in cycles]
    return out


def shares_of_a_ranking(
    votes: Comparisons, model: BradleyTerry, worth: float, resamples: int, seed: int
) -> NDArray[np.float64]:
    """float64[R]: the transitive share of R samples of votes drawn from the model.

    Every pair gets as many votes as in the data, with the model's win rate and the data's share of ties. A
    smaller transitive share in the data is evidence of cycles.
    """
    counts = votes.pooled_counts
    wins, ties = counts.wins.sum(), 0.0 if counts.ties is None else counts.ties.sum()
    upper = np.triu_indices(len(votes.items), 1)
    asked = counts.votes[upper].astype(np.int64)
    rate = sigmoid((model.scores[:, None] - model.scores[None, :])[upper])
    tie = np.minimum(ties / (ties + 2 * wins), 2 * np.minimum(rate, 1 - rate))
    chances = np.stack([rate - tie / 2, tie, np.maximum(1 - rate - tie / 2, 0)], axis=1)
    chances /= chances.sum(axis=1, keepdims=True)
    shares = np.empty(resamples)
    for k in track(range(resamples), "simulating a perfect ranking", resamples):
        won, tied = np.random.default_rng([seed, k, 1]).multinomial(asked, chances).T[:2]
        again = _expand(*upper, won, tied, asked - won - tied, votes.items)
        shares[k] = hodge(estimate(again, worth), cycles=0).transitive_share
    return shares


def _expand(
    left: NDArray, right: NDArray, won: NDArray, tied: NDArray, lost: NDArray, items: tuple[str, ...]
) -> Comparisons:
    """Votes with the given counts of each pair."""
    pairs = np.concatenate([np.repeat(np.arange(len(won)), times) for times in (won, tied, lost)])
    winner = np.repeat(np.array([1, 0, -1], dtype=np.int8), [won.sum(), tied.sum(), lost.sum()])
    return Comparisons(left[pairs], right[pairs], winner, items)
